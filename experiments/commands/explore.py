"""`pattern-selection explore`: the page on which one drags the base model."""

import argparse
import importlib.util
import socket
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
    listener = _listen(args.port)
    port = listener.getsockname()[1]
    address = f"http://{HOST}:{port}/{first}"
    print(address, flush=True)
    if not args.no_browser:
        webbrowser.open(address)
    _serve(listener, port)
    return 0


def _listen(port: int) -> socket.socket:
    """A socket on loopback. Raises `UserError` for a port that cannot be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: give 0 (any) to 65535.")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"--port {port}: {reason}; give another, or 0.") from None
    return listener


def _serve(listener: socket.socket, port: int) -> None:
    import uvicorn

    from experiments.explorer import answers, server

    worker = answers.worker()
    application: Any = server.application(worker, port)
    config = uvicorn.Config(
        application, log_level="warning", server_header=False, lifespan="off"
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        worker.stop()
