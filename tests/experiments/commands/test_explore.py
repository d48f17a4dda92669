"""`pattern-selection explore`: starting, bad input, and its end."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from experiments.cli import main

COMMAND = [sys.executable, "-m", "experiments", "explore"]


def refused(capsys, *words):
    assert main(["explore", "--no-browser", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    "words, error",
    [
        (["--port", "70000"], "error: --port 70000: give 0 (any) to 65535.\n"),
        (["--port", "-1"], "error: --port -1: give 0 (any) to 65535.\n"),
        (
            ["--state", "#v=2"],
            "error: state of version '2'; this explorer reads 1.\n",
        ),
        (
            ["--state", "#s=0.9,2"],
            "error: success rates (s) 2.0: give 0 to 1.\n",
        ),
        (
            ["--state", "#s=0.9,x"],
            "error: success rates (s) '0.9,x': give numbers joined by commas.\n",
        ),
    ],
)
def test_bad_input_is_one_line(capsys, words, error):
    assert refused(capsys, *words) == error


def test_a_port_in_use_is_one_line(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        error = refused(capsys, "--port", str(port))
    assert error == (
        f"error: --port {port}: address already in use; give another, or 0.\n"
    )


def test_without_the_extra_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = refused(capsys)
    assert error == (
        "error: the explorer needs starlette; pip install "
        "'pattern-selection[explore]'.\n"
    )


def test_help_says_who_else_can_reach_it(capsys):
    with pytest.raises(SystemExit):
        main(["explore", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Other people who are logged in on it can open it too" in text


@pytest.mark.slow
def test_it_serves_and_ends_at_once_while_programs_are_compiled(tmp_path):
    state = "#v=1&s=0.9,0.5&l=0,1&c=0.5,0.5"
    process = subprocess.Popen(
        [*COMMAND, "--no-browser", "--state", state],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_without_kept_programs(tmp_path),
    )
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:") and "#v=1&s=0.9,0.5&l=0,1" in address
    with urllib.request.urlopen(address) as page:
        assert b"<!doctype html>" in page.read()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def _without_kept_programs(folder):
    import os

    return os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder)}
