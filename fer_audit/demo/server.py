"""The server of the demo: one address, a folder for uploads that goes with it, and a clean end."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Any

from fer_audit.errors import FerAuditError

if TYPE_CHECKING:
    from fer_audit.demo.page import Demo

#: Where a free port is looked for when none is named; 0 lets the system choose.
_PORTS = (*range(7860, 7880), 0)

#: Seconds that open pages have to end once the server is stopped.
_PATIENCE = 1


class DemoError(FerAuditError):
    """An address that can't be listened on, or a part that is not installed."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int | None) -> socket.socket:
    """A socket at `host` and `port`, or at the first free port where None; raises DemoError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise DemoError(
            f"--host: there is no address {host!r}; expected one of this machine, such as 127.0.0.1"
        ) from None
    for tried in _PORTS if port is None else (port,):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((address[0], tried))
            found.listen()  # from now on nobody else gets this port, though models are still being read
        except OSError as error:
            found.close()
            problem = error
        else:
            return found
    where = host if port is None else f"{host}, port {port}"
    raise DemoError(f"can't listen on {where}: {problem.strerror}; choose another --port or --host")


@contextlib.contextmanager
def uploads() -> Iterator[Path]:
    """Within it Gradio keeps what it is given in a folder of its own, which is removed at the end.

    To be entered before Gradio is imported, which reads these variables then.
    """
    with TemporaryDirectory(prefix="fer-audit-demo-") as folder:
        ours = {
            "GRADIO_TEMP_DIR": folder,
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_SHARE": "False",
            "GRADIO_MCP_SERVER": "False",
            "GRADIO_SSR_MODE": "False",
            "GRADIO_ALLOWED_PATHS": "",
            "HF_HUB_OFFLINE": "1",
        }
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def serve(demo: Demo, where: socket.socket, host: str, started: Callable[[str], None]) -> None:
    """Serves the page until Ctrl-C or SIGTERM; `started` is told the address once it answers."""
    import uvicorn

    address, port = where.getsockname()[:2]
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}/"
    application = make_application(demo, host, port)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                started(url)

    config = uvicorn.Config(
        application,
        log_level="critical",
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    # Uvicorn ends in order and then raises the signal again: by default SIGTERM would leave the uploads behind.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        Server(config).run(sockets=[where])
    finally:
        signal.signal(signal.SIGTERM, before)


def make_application(demo: Demo, host: str, port: int) -> Any:
    """The page as an ASGI application behind its guard."""
    import fastapi
    import gradio

    from fer_audit.demo.guard import Guard
    from fer_audit.demo.page import make_page, page_options
    from fer_audit.demo.picture import LARGEST_FILE

    application = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gradio.mount_gradio_app(
        application,
        make_page(demo),
        path="",
        server_name=host,
        server_port=port,
        show_error=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **page_options(),
    )
    hosts = {"localhost", "127.0.0.1", "[::1]", host} if is_loopback(host) else None
    return Guard(application, hosts, LARGEST_FILE)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
