"""`pattern-selection explore`: the page on which one drags the base model."""

import argparse
import importlib.util
import os
import socket
import sys
import webbrowser
from typing import Any

from experiments.text.errors import UserError

HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `explore`."""
    parser.epilog = (
        "The page is served to this machine only, at 127.0.0.1. Other people who are "
        "logged in\non it can open it too: they can look at base models and use "
        "processor time, no more.\nNothing is stored, and no file is read or written "
        "for the page. Ctrl-C ends it."
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="port to listen on (default 0: any that is free)",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )
    parser.add_argument(
        "--state",
        default="",
        metavar="'#...'",
        help="what to show at first: the part of a shared address from # on",
    )


def main(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from experiments.explorer import state

    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"the explorer needs {package}; pip install "
                "'pattern-selection[explore]'."
            )
    first = state.fragment(state.parse(args.state)) if args.state else ""
    with _listening(args.port) as listener:
        port = listener.getsockname()[1]
        address = f"http://{HOST}:{port}/{first}"
        print(address, flush=True)
        if not args.no_browser and not webbrowser.open(address):
            print("no browser could be opened; open the address.", file=sys.stderr)
        _serve(listener, port)
    return 0


def _listening(port: int) -> socket.socket:
    """A socket on loopback. Raises `UserError` for a port that cannot be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: give 0 (any) to 65535.")
    listener = socket.socket()
    # Not while another serves there, but at once after it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"--port {port}: {reason}; give another, or 0.") from None
    return listener


def _serve(listener: socket.socket, port: int) -> None:
    """Until Ctrl-C, which also ends what is being compiled."""
    import uvicorn

    from experiments.explorer import answers, server

    application: Any = server.application(answers.worker(), port)
    config = uvicorn.Config(
        application, log_level="error", server_header=False, lifespan="off"
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        # Python would wait for threads, so for a program that is being compiled.
        os._exit(130)
