"""What the server answers at all: the page and its parts, to this machine's names, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: All that the page needs. Gradio has more, such as a proxy, calls by name, recordings, and tools for developers.
_PAGES = frozenset({"/", "/config", "/theme.css", "/favicon.ico", "/manifest.json"})
#: No picture that was given is ever sent out again, so that `file=` is not among them.
_PARTS = ("/assets/", "/static/", "/gradio_api/heartbeat/")
_ASKED = frozenset(
    {"/gradio_api/queue/data", "/gradio_api/upload_progress", "/gradio_api/startup-events", "/gradio_api/app_id"}
)
_GIVEN = frozenset({"/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset"})
_UPLOAD = "/gradio_api/upload"

#: Bytes of what is given beside a picture: which button was pressed, and where a file begins.
_WORDS = 64 * 1024

#: Scripts of the page make functions of text, as Gradio's templates do; nothing is loaded from elsewhere.
_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"cache-control", b"no-store"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Guard:
    """Lets through what the page needs, and nothing that is too large."""

    def __init__(self, application: Application, hosts: Iterable[str] | None, largest_file: int) -> None:
        """`hosts` are the names that the server goes by, None for any; `largest_file` is in bytes."""
        self._application = application
        self._hosts = None if hosts is None else frozenset(hosts)
        self._largest = largest_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or refuses it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refused = self._refusal(scope)
        if refused is not None:
            await _refuse(send, *refused)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in _HEADERS}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
                message["headers"] = [*kept, *_HEADERS]
            await send(message)

        await self._application(scope, receive, answer)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        # A page of another site can give its own name our address, and would then read ours.
        if self._hosts is not None and _host(headers.get(b"host", b"").decode("latin-1")) not in self._hosts:
            return 421, "This server goes by the address that it printed."
        method, path = scope["method"], scope["path"]
        if method in ("GET", "HEAD"):
            known = path in _PAGES or path in _ASKED or path.startswith(_PARTS)
        else:
            known = method == "POST" and path in _GIVEN
        if not known:
            return 404, "There is nothing here."
        return self._too_large(path, headers) if method == "POST" else None

    def _too_large(self, path: str, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        length = headers.get(b"content-length", b"")
        if not length.isdigit():  # without it a body ends when the sender likes
            return 411, "What is sent needs its length."
        if int(length) > _WORDS + (self._largest if path == _UPLOAD else 0):
            return 413, f"This file is too large; at most {self._largest >> 20} MB are read."
        return None


def _host(given: str) -> str:
    """A name without its port."""
    return given[: given.index("]") + 1] if "]" in given else given.partition(":")[0]


async def _refuse(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
