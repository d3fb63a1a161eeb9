"""What the programs that serve a page do alike."""

from __future__ import annotations

import socket
from typing import Any

from data.files import InputError


def require_extra() -> None:
    """Asks for the packages of the extra `study`, and loads them.

    Raises:
        InputError: If one is missing.
    """
    try:
        import starlette.requests  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; pip install 'axisbias[study]' (in this folder: "
            "pip install -e '.[study]')"
        ) from error


def listen(host: str, port: int) -> socket.socket:
    """A socket on that address.

    Raises:
        InputError: If there is no such address, or something else listens there.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise InputError(
            f"cannot listen on --host={host} --port={port} ({error.strerror}); give others"
        ) from error


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(app: Any, listening: socket.socket, **settings: Any) -> None:
    """Runs an ASGI application until it is told to end; `settings` are uvicorn's.

    Raises:
        KeyboardInterrupt: At its end, which nothing but an interrupt brings about.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,  # it would keep visitors' addresses
        server_header=False,
        limit_concurrency=1000,
        timeout_graceful_shutdown=5,
        **settings,
    )
    uvicorn.Server(config).run(sockets=[listening])
    raise KeyboardInterrupt  # uvicorn swallows one that comes while it starts
