"""The explorer's server: the page, and answers to its questions, on loopback only.

There are no cookies, no secrets, no access to files and no evaluation of what is sent.
The page's files are read once and served by name. Requests from other pages and by
other names of this host (DNS rebinding) are refused; see `guard`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from experiments.explorer.guard import Guard
from experiments.explorer.worker import Dropped, Worker
from experiments.text.errors import UserError

PAGE = Path(__file__).parent / "page"
MOST_BYTES = 20_000  # of a question
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def application(worker: Worker, port: int) -> Guard:
    """The page, `GET /api/ready`, and a POST for each kind of question."""
    files = {f"/{path.name}": path for path in PAGE.iterdir() if path.suffix in KINDS}
    assets = {
        name: Response(path.read_bytes(), media_type=KINDS[path.suffix])
        for name, path in files.items()
    }
    assets["/"] = assets["/index.html"]

    async def asset(request: Request) -> Response:
        return assets[request.url.path]

    async def is_ready(request: Request) -> Response:
        return JSONResponse({"ready": worker.ready, "failed": worker.failed})

    def endpoint(kind: str):
        async def answer(request: Request) -> Response:
            try:
                found = await worker.ask(kind, await _question(request))
            except Dropped:
                return _error("a newer question came.", 409)
            except (UserError, ValueError) as error:
                return _error(" ".join(str(error).split()), 400)
            return _json(found)

        return answer

    routes = [Route(name, asset) for name in assets]
    routes.append(Route("/api/ready", is_ready))
    routes += [
        Route(f"/api/{kind}", endpoint(kind), methods=["POST"]) for kind in worker.kinds
    ]
    return Guard(Starlette(routes=routes, exception_handlers={404: _not_found}), port)


async def _question(request: Request) -> Mapping[str, Any]:
    """The object of the body. Raises `UserError`."""
    if request.headers.get("content-type") != "application/json":
        raise UserError("send application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise UserError(f"a question has at most {MOST_BYTES} bytes.")
    try:
        asked = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UserError("the body is no JSON.") from None
    if not isinstance(asked, dict):
        raise UserError("send one JSON object.")
    return asked


def _no_constant(name: str):
    raise ValueError(name)


def _json(found: Any) -> Response:
    text = json.dumps(finite(found), allow_nan=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def _error(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)


async def _not_found(request: Request, error: Exception) -> Response:
    return PlainTextResponse("not found", 404)


def finite(value: Any) -> Any:
    """The same with infinities and nan as None, which JSON has a word for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
