"""The collector as an ASGI application: serves a study and its page, and accepts answers.

What is served is looked up in a table made at the start, so no path that a browser invents leads
to a file.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reproduce.serving.limits import REFUSALS, Guard, RateLimit, read_body
from reproduce.serving.refusals import Refusal, parse_object
from reproduce.study import static_page
from reproduce.study.answers import parse_answer
from reproduce.study.public_files import PublicStudy
from reproduce.study.store import AnswerStore

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
_REQUEST = re.compile(r"[0-9a-f]{32}")
_TRIAL = re.compile(r"[0-9]{1,6}")

Endpoint = Callable[[Request], Awaitable[Response]]


def application(
    study: PublicStudy, store: AnswerStore, requests: RateLimit, new_raters: RateLimit
) -> Starlette:
    """The collector.

    Args:
        study: What is served.
        store: Where answers go.
        requests: How often an address may ask for anything.
        new_raters: How often it may start anew.
    """
    files = study.files | {file.name: file for file in static_page.FILES}
    return Starlette(
        routes=[
            Route("/api/raters", _create_rater(store), methods=["POST"]),
            Route("/api/raters/{rater}", _progress(store), methods=["GET"]),
            Route("/api/raters/{rater}/answers/{trial}", _record(store), methods=["PUT"]),
            Route("/api/raters/{rater}/finish", _finish(store), methods=["POST"]),
            Route("/{path:path}", _file(files), methods=["GET"]),
        ],
        middleware=[Middleware(Guard, requests=requests, new_raters=new_raters)],
        exception_handlers=REFUSALS | {sqlite3.OperationalError: _refuse_busy},
    )


def _create_rater(store: AnswerStore) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        wanted = parse_object(await read_body(request) or b"{}")
        key = wanted.get("request")
        if wanted.keys() - {"request"} or not (key is None or _is_request(key)):
            raise Refusal(422, "expected nothing but request: 32 hex digits")
        rater, number, is_new = await run_in_threadpool(store.assign, key)
        return JSONResponse({"rater": rater, "list": number}, 201 if is_new else 200)

    return endpoint


def _progress(store: AnswerStore) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        progress = await run_in_threadpool(store.progress, request.path_params["rater"])
        return JSONResponse(
            {
                "list": progress.list,
                "answered": list(progress.answered),
                "done": store.is_done(progress),
            }
        )

    return endpoint


def _record(store: AnswerStore) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        answer = parse_answer(await read_body(request))
        rater, trial = request.path_params["rater"], request.path_params["trial"]
        if not _TRIAL.fullmatch(trial):
            raise Refusal(404, "no such trial in this rater's list")
        is_new = await run_in_threadpool(store.record, rater, int(trial), answer)
        return JSONResponse({"trial": int(trial)}, 201 if is_new else 200)

    return endpoint


def _finish(store: AnswerStore) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(
            {"code": await run_in_threadpool(store.finish, request.path_params["rater"])}
        )

    return endpoint


def _file(files: dict[str, Path]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        name = request.path_params["path"] or "index.html"
        if name not in files:
            raise Refusal(404, "no such file")
        content = await run_in_threadpool(files[name].read_bytes)
        # Neither dates nor tags: a strip's file must say nothing but its picture.
        headers = {"Cache-Control": "max-age=3600"} if name.startswith("strips/") else None
        return Response(content, headers=headers, media_type=_TYPES[files[name].suffix])

    return endpoint


def _is_request(value: object) -> bool:
    return isinstance(value, str) and _REQUEST.fullmatch(value) is not None


async def _refuse_busy(request: Request, error: Exception) -> Response:
    """A full disk or a locked database: the browser keeps its answer and tries again."""
    logging.error("the database refused: %s; raters' pages keep their answers and try again", error)
    return JSONResponse({"error": "not saved; try again"}, 503, {"Retry-After": "5"})
