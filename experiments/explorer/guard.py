"""Who may ask: this page, under this host's own name; and what a browser may do."""

from typing import Any

from starlette.responses import PlainTextResponse

# Nothing from elsewhere, nothing inline, no evaluation, in no frame.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "connect")),
        "img-src 'self' data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """Refuses other hosts (DNS rebinding) and other pages (cross-site requests)."""

    def __init__(self, app: Any, port: int):
        self.app = app
        self.hosts = {f"{host}:{port}".encode() for host in ("127.0.0.1", "localhost")}

    def allows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers comes from the page itself."""

        def given(name: bytes) -> list[bytes]:
            return [value for key, value in headers if key == name]

        ours = {b"http://" + host for host in self.hosts}
        return (
            len(given(b"host")) == 1
            and set(given(b"host")) <= self.hosts
            and set(given(b"origin")) <= ours
            and set(given(b"sec-fetch-site")) <= {b"none", b"same-origin"}
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message):
            if message["type"] == "http.response.start":
                own = [(key.encode(), text.encode()) for key, text in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        app = self.app
        if not self.allows(scope["headers"]):
            app = PlainTextResponse("refused", 403)
        await app(scope, receive, with_headers)
