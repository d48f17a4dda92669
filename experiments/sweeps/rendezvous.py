"""Where the processes of one sweep meet before JAX's multi-process runtime begins.

That runtime waits minutes for a process that does not come, or that has died, and then
ends the others from C++ with a stack trace. Here all of them connect to the first one,
at the same address and before it: whoever misses somebody says so in one line. The
connections stay: one that is closed before its process is done tells that it has died.
"""

import contextlib
import os
import re
import selectors
import socket
import sys
import threading
import time

from experiments.text.errors import UserError

PATIENCE = 40.0  # seconds until all processes have to be there
BETWEEN = 0.2  # seconds between attempts to reach the first process
GREETING = 5.0  # seconds that either side has to answer
BEGIN, DONE = "begin", b"."

Lines = dict[int, socket.socket]  # by number of the process at the other end


class Meeting:
    """Process `index` of `count`, and its connections to the first one, or to all.

    The first one listens at `address` (HOST:PORT), on no other interface. Raises
    `UserError` if not all are there within `PATIENCE` seconds. From then on a process
    that ends, for whatever reason, before it is `over` ends all others, with a line on
    stderr and exit code 1.
    """

    def __init__(self, address: str, count: int, index: int) -> None:
        self.name, self.count = f"--coordinator {address}", count
        until = time.monotonic() + PATIENCE
        host, port = self._split(address)
        if index == 0:
            self.lines = self._receive(host, port, until)
        else:
            self.lines = {0: self._join(host, port, index, until)}
        self._over = threading.Event()
        for other, line in self.lines.items():
            threading.Thread(
                target=self._watch, args=(other, line), daemon=True
            ).start()

    def over(self) -> None:
        """All is done: this process may end, and the others too."""
        self._over.set()
        for line in self.lines.values():
            with contextlib.suppress(OSError):
                line.sendall(DONE)

    def _watch(self, other: int, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if line.recv(1) == DONE:
                return
        if self._over.is_set():
            return
        print(
            f"error: {self.name}: --process {other} has ended too early. What is "
            f"stored is kept: start all {self.count} again to go on.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # before JAX's runtime does it

    def _split(self, address: str) -> tuple[str, int]:
        found = re.fullmatch(r"(.+):(\d{1,5})", address)
        if found is None or not 1 <= int(found[2]) <= 65535:
            raise UserError(
                f"{self.name}: give HOST:PORT of the first process, with a port from 1 "
                "to 65535."
            )
        return found[1].strip("[]"), int(found[2])

    def _receive(self, host: str, port: int, until: float) -> Lines:
        """The others, as they come to the first process."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, _, _, _, where = found[0]
            server = socket.create_server(where[:2], family=family, backlog=self.count)
        except OSError as error:
            reason = str(error.strerror).split(" (")[0]
            raise UserError(
                f"{self.name}: cannot listen there ({reason}); give an address of the "
                "machine of --process 0, and a port that is free."
            ) from None
        lines: Lines = {}
        with server, selectors.DefaultSelector() as waiting:
            waiting.register(server, selectors.EVENT_READ)
            while len(lines) < self.count - 1:
                left = until - time.monotonic()
                if left <= 0:
                    break
                for key, _ in waiting.select(left):
                    if key.fileobj is server:
                        line, _ = server.accept()
                        other = self._greeted(line, lines)
                        if other is not None:
                            lines[other] = line
                            waiting.register(line, selectors.EVENT_READ, other)
                    else:  # nothing more is sent: it has ended
                        waiting.unregister(key.fileobj)
                        lines.pop(key.data).close()
        missing = [str(i) for i in range(1, self.count) if i not in lines]
        said = BEGIN
        if missing:
            said = f"--process {', '.join(missing)} did not come to {where[0]}"
        for line in lines.values():
            line.settimeout(None)
            with contextlib.suppress(OSError):  # of one that has just died
                line.sendall(f"{said}\n".encode())
        if missing:
            for line in lines.values():
                line.close()
            raise self._missed(said)
        return lines

    def _greeted(self, line: socket.socket, lines: Lines) -> int | None:
        """Which process has connected; None if it is none that is waited for."""
        line.settimeout(GREETING)
        said = re.fullmatch(r"pattern-selection (\d+) of (\d+)", _read(line))
        if said is None:
            line.close()
            return None
        other = int(said[1])
        if int(said[2]) != self.count:
            answer = f"--process 0 was given --processes {self.count}"
        elif other in lines:
            answer = f"another --process {other} is there already"
        else:
            return other
        with line, contextlib.suppress(OSError):
            line.sendall(f"{answer}\n".encode())
        return None

    def _join(self, host: str, port: int, index: int, until: float) -> socket.socket:
        """The connection to the first process, when all others are there too."""
        reason = "no answer"
        while (left := until - time.monotonic()) > 0:
            try:
                line = socket.create_connection((host, port), timeout=left)
                break
            except OSError as error:
                reason = error.strerror or reason
                time.sleep(BETWEEN)
        else:
            raise self._missed(f"--process 0 cannot be reached ({reason})")
        # Somewhat longer than the first one waits, if both began together.
        line.settimeout(until - time.monotonic() + GREETING)
        with contextlib.suppress(OSError):
            line.sendall(f"pattern-selection {index} of {self.count}\n".encode())
        said = _read(line)
        if said != BEGIN:
            line.close()
            raise self._missed(said or "--process 0 did not say that all are there")
        line.settimeout(None)
        return line

    def _missed(self, reason: str) -> UserError:
        return UserError(
            f"{self.name}: {reason}; start all {self.count} within {PATIENCE:g} s of "
            "each other."
        )


def _read(line: socket.socket) -> str:
    """A line of text without its end; "" if it does not come."""
    said = b""
    with contextlib.suppress(OSError):
        while (byte := line.recv(1)) and len(said) < 1000:
            if byte == b"\n":
                return said.decode(errors="replace")
            said += byte
    return ""
