"""What stands around every request: rates, sizes, refusals, and headers that bound a browser."""

from __future__ import annotations

import asyncio
import collections
import ipaddress
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reproduce.serving.refusals import Refusal

MAX_BODY = 4096  # bytes; an answer with the longest name in any script has less than 2000
_BODY_SECONDS = 10.0
_MAX_CLIENTS = 10_000
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RateLimit:
    """Token buckets, one a client: `rate` requests a second, up to `burst` at once."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        # The client that has been quiet longest is forgotten first, so memory stays bounded.
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def take(self, client: str) -> float:
        """Takes a token of the client; returns 0, or how many seconds until there is one."""
        now = self._clock()
        tokens, then = self._buckets.get(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate


class Guard:
    """ASGI middleware: refuses what comes too fast or from other sites, and adds the headers."""

    def __init__(self, app: ASGIApp, requests: RateLimit, new_raters: RateLimit) -> None:
        self._app = app
        self._requests = requests
        self._new_raters = new_raters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 403 or 429."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = self._refusal(scope) or self._app
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        client = _network(scope)
        wait = self._requests.take(client)
        if not wait and (scope["method"], scope["path"]) == ("POST", "/api/raters"):
            wait = self._new_raters.take(client)
        if wait:
            seconds = {"Retry-After": str(int(wait) + 1)}
            return JSONResponse({"error": "too many requests; wait"}, 429, seconds)
        site = Request(scope).headers.get("Sec-Fetch-Site", "none")
        if scope["method"] not in ("GET", "HEAD") and site not in ("same-origin", "none"):
            return JSONResponse({"error": "sent from another site"}, 403)
        return None


def _network(scope: Scope) -> str:
    """Whom a rate belongs to: an IPv4 address, or the /64 that an IPv6 subscriber has whole."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


async def read_body(request: Request) -> bytes:
    """A request's JSON body, bounded in size and time.

    Raises:
        Refusal: 415 if it is not declared as JSON, 413 if larger than MAX_BODY, 408 if it takes
            too long, 400 if the sender hangs up.
    """
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "Content-Type must be application/json")
    declared = request.headers.get("Content-Length", "0")
    # Many digits are a large number whatever they are.
    if not declared.isdecimal() or len(declared) > 9 or int(declared) > MAX_BODY:
        raise Refusal(413, f"the body is larger than {MAX_BODY} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Refusal(413, f"the body is larger than {MAX_BODY} bytes")
    except TimeoutError as error:
        raise Refusal(408, "the body took too long") from error
    except ClientDisconnect as error:
        raise Refusal(400, "the connection was closed before the body's end") from error
    return bytes(body)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse({"error": str(error)}, error.status)


async def _refuse_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


# What a page is told, in JSON, whatever it was that was refused: Starlette's `exception_handlers`.
REFUSALS: dict[Any, Any] = {Refusal: _refuse, HTTPException: _refuse_http}
