"""The explorer's server in a thread, on a real socket, and raw requests to it."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import uvicorn

from experiments.explorer import server
from experiments.explorer.worker import Worker


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    """A server at `port`; `ask` sends what the page sends, and whatever is changed."""

    port: int

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request with these headers and no others, underscores for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {key.replace("_", "-"): text for key, text in headers.items()}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        named = {"host": f"127.0.0.1:{self.port}"} | named
        if isinstance(body, bytes):
            named["content-length"] = str(len(body))
        for key, text in named.items():
            connection.putheader(key, text)
        connection.endheaders(body if isinstance(body, bytes) else None)
        with contextlib.closing(connection):
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.getheaders()), reply.read())

    def ask(self, kind: str, question: Any, **headers: str) -> Reply:
        """A question, as the page sends it."""
        given = {"content_type": "application/json"} | headers
        return self.send("POST", f"/api/{kind}", json.dumps(question).encode(), **given)


@contextlib.contextmanager
def served(worker: Worker) -> Iterator[Served]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            server.application(worker, port),  # type: ignore[arg-type]
            log_level="error",
            lifespan="off",
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not running.started:
                time.sleep(0.01)
            yield Served(port)
        finally:
            running.should_exit = True
            thread.join()
            worker.stop()
