"""The explorer's server: the page, and answers to its questions.

There are no cookies, no secrets, no access to files and no evaluation of what is sent.
The page's files are read once, at the start, and served by name; see `guard` for who
may ask. An answer is one JSON object; of a mistake `{"error": "one line"}`.
"""

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from experiments.explorer import presets, statements
from experiments.explorer.guard import Guard
from experiments.explorer.worker import Dropped, Worker
from experiments.text.errors import UserError

PAGE = Path(__file__).parent / "page"
MOST_BYTES = 20_000  # of a question
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def application(worker: Worker, port: int) -> Guard:
    """The page, `GET /api/ready`, and a POST for each kind of question.

    `GET /api/presets`: states worth a look; `GET /statements/ID`: a statement's page.
    """

    async def ready(request: Request) -> Response:
        return _json({"ready": worker.ready, "failed": worker.failed})

    async def listed(request: Request) -> Response:
        return _json(presets.listed())

    async def statement(request: Request) -> Response:
        found = statements.page(request.path_params["id"])
        if found is None:
            return await _not_found(request, KeyError())
        return Response(found, media_type=TYPES[".html"])

    routes = [
        *_assets(),
        Route("/api/ready", ready),
        Route("/api/presets", listed),
        Route("/statements/{id}", statement),
        *(
            Route(f"/api/{name}", _endpoint(worker, name), methods=["POST"])
            for name in worker.kinds
        ),
    ]
    site = Starlette(routes=routes, exception_handlers={404: _not_found})
    site.router.redirect_slashes = False
    return Guard(site, port)


def _assets() -> list[Route]:
    """One for each file of the page."""
    found = {
        f"/{path.name}": Response(path.read_bytes(), media_type=TYPES[path.suffix])
        for path in PAGE.iterdir()
        if path.suffix in TYPES
    }
    found["/"] = found["/index.html"]

    async def asset(request: Request) -> Response:
        return found[request.url.path]

    return [Route(name, asset) for name in found]


def _endpoint(worker: Worker, name: str):
    async def endpoint(request: Request) -> Response:
        try:
            question = await _question(request)
            begun = time.perf_counter()
            reply = _json(await worker.ask(name, question))
            took = 1e3 * (time.perf_counter() - begun)  # milliseconds, waiting included
            reply.headers["server-timing"] = f"answer;dur={took:.1f}"
            return reply
        except Dropped:
            return _error("a newer question came.", 409)
        except (UserError, ValueError) as error:
            return _error(" ".join(str(error).split()), 400)
        except ClientDisconnect:
            return _error("the question ended early.", 400)
        except Exception as error:
            line = f"{name}: {type(error).__name__}: {' '.join(str(error).split())}"
            print(f"error: {line}", file=sys.stderr)
            return _error(line, 500)

    return endpoint


async def _question(request: Request) -> Mapping[str, Any]:
    """The object that is sent. Raises `UserError`."""
    if request.headers.get("content-type") != "application/json":
        raise UserError("send application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise UserError(f"a question has at most {MOST_BYTES} bytes.")
    try:
        asked = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise UserError("what was sent is no JSON.") from None
    if not isinstance(asked, dict):
        raise UserError("send one JSON object.")
    return asked


def _refuse(constant: str) -> None:
    """Of NaN and Infinity, which are no JSON."""
    raise ValueError(constant)


def _json(found: Any) -> Response:
    text = json.dumps(finite(found), allow_nan=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def _error(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)


async def _not_found(request: Request, error: Exception) -> Response:
    return PlainTextResponse("not found", 404)


def finite(value: Any) -> Any:
    """The same with infinities and nan as None, since JSON has no word for them.

    >>> finite({"t0": [1.0, float("inf")]})
    {'t0': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
