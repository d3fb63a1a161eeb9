"""The explorer as an ASGI application: frames for a page on the same machine."""

from __future__ import annotations

import asyncio
import collections
import json
import math
import secrets
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from data.files import InputError
from reproduce.explore import blind, frames, loaded_run, scene
from reproduce.explore.loaded_run import MAX_SHOWN, LoadedRun, Space
from reproduce.serving.limits import REFUSALS, Guard, RateLimit, read_body
from reproduce.serving.refusals import Refusal, parse_object
from reproduce.training.run_directory import RunDirectory

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
PAGE = Path(__file__).parent / "page" / "dist"
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "explore.js": ("explore.js", "text/javascript; charset=utf-8"),
    "explore.css": ("explore.css", "text/css; charset=utf-8"),
}
_MAX_LOADED = 4  # kept in memory
_MAX_SESSIONS = 100
_MAX_PATH = 2**31 - 1
_REQUESTS = 500.0  # a second; a dragged slider asks for less than 60
_GONE = 499  # as nginx calls it: the browser has dropped its request

Endpoint = Callable[[Request], Awaitable[Response]]


class Explorer:
    """The runs that can be chosen, those that are loaded, and the blind sessions."""

    def __init__(
        self,
        runs: Sequence[RunDirectory],
        load: Callable[[RunDirectory], LoadedRun],
        rng: np.random.Generator,
    ) -> None:
        """Loads nothing yet.

        Args:
            runs: Generative models'.
            load: Loads one of them.
            rng: Draws what is hidden.
        """
        self.runs = tuple(runs)
        self._load = load
        self._rng = rng
        self._loaded: collections.OrderedDict[int, LoadedRun] = collections.OrderedDict()
        self._sessions: collections.OrderedDict[str, blind.Session] = collections.OrderedDict()

    def loaded_run(self, number: int) -> LoadedRun:
        """A run, loaded if it is not yet; the one that was used longest ago is forgotten.

        Raises:
            InputError: If it cannot be loaded.
        """
        if number not in self._loaded:
            self._loaded[number] = self._load(self.runs[number])
            if len(self._loaded) > _MAX_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(number)
        return self._loaded[number]

    def begin(self, run: int, space: Space, num_rounds: int, seen: bool) -> str:
        """A new blind session's key."""
        num_images = len(self.loaded_run(run).starts)
        rounds = blind.draw_rounds(space, num_rounds, num_images, self._rng)
        key = secrets.token_hex(16)
        self._sessions[key] = blind.Session(run, space.name, rounds, seen)
        if len(self._sessions) > _MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return key

    def session(self, key: str) -> blind.Session:
        """A blind session.

        Raises:
            Refusal: 404 if there is none.
        """
        if key not in self._sessions:
            raise Refusal(404, "no such blind session; begin another")
        return self._sessions[key]


def application(explorer: Explorer, hosts: Sequence[str] = LOOPBACK) -> Starlette:
    """The explorer's page and what it asks for.

    Args:
        explorer: What is explored.
        hosts: Names by which browsers may call the server; another one is another site's, that
            had its name point here.
    """
    # TensorFlow and the metrics get one frame at a time: two would only slow each other down.
    turn = _Turn()
    limits = {"requests": RateLimit(_REQUESTS, 4 * _REQUESTS), "new_raters": RateLimit(1, 1)}
    return Starlette(
        routes=[
            Route("/api/runs", _runs(explorer), methods=["GET"]),
            Route("/api/scene", _scene(explorer, turn), methods=["GET"]),
            Route("/api/frame", _frame(explorer, turn), methods=["GET"]),
            Route("/api/blind", _begin(explorer, turn), methods=["POST"]),
            Route("/api/blind/{key}/frame", _blind_frame(explorer, turn), methods=["GET"]),
            Route("/api/blind/{key}/guess", _guess(explorer), methods=["POST"]),
            Route("/{path:path}", _file, methods=["GET"]),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(Guard, **limits),
        ],
        exception_handlers=REFUSALS | {InputError: _refuse_input},
    )


class _Turn:
    """One computation at a time, and none for who has gone."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def compute(self, request: Request, function: Callable[[], Response]) -> Response:
        """A function's response; while it waits, a dragged slider may have dropped the request."""
        async with self._lock:
            if await request.is_disconnected():
                return Response(status_code=_GONE)
            return await run_in_threadpool(function)


def _runs(explorer: Explorer) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        rows = [
            {"title": loaded_run.title_of(run), "data_set": run.read_config().data_set}
            for run in explorer.runs
        ]
        return JSONResponse(rows)

    return endpoint


def _scene(explorer: Explorer, turn: _Turn) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        run = _whole(request, "run", len(explorer.runs) - 1)
        path = _whole(request, "path", _MAX_PATH)
        name = request.query_params.get("space")

        def describe() -> Response:
            loaded = explorer.loaded_run(run)
            space = _choose(loaded, name)
            known = scene.describe(loaded, space)
            return JSONResponse(scene.with_path(known, space, space.rotation(path)))

        return await turn.compute(request, describe)

    return endpoint


def _frame(explorer: Explorer, turn: _Turn) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        run = _whole(request, "run", len(explorer.runs) - 1)
        path = _whole(request, "path", _MAX_PATH)
        image = _whole(request, "image", loaded_run.NUM_IMAGES - 1)
        time = _time(request)
        name = request.query_params.get("space")

        def show() -> Response:
            loaded = explorer.loaded_run(run)
            space = _choose(loaded, name)
            if image >= len(loaded.starts):
                raise Refusal(422, f"image: there are {len(loaded.starts)}")
            basis = frames.at(space.rotation(path), time)
            strips = frames.draw(loaded, space, basis, image)
            measured = frames.measure(space, basis[None])
            return _packed(
                strips,
                {
                    "steps": strips.steps.tolist(),
                    "dead": strips.dead.tolist(),
                    "angles": frames.angles(basis).tolist(),
                    "metrics": {name: float(found[0]) for name, found in measured.metrics.items()},
                    "information": _first(measured.information),
                    "leakage": _first(measured.leakage),
                },
            )

        return await turn.compute(request, show)

    return endpoint


def _begin(explorer: Explorer, turn: _Turn) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        wanted = parse_object(await read_body(request))
        if wanted.keys() != {"run", "space", "rounds", "seen"}:
            raise Refusal(422, "expected run, space, rounds and seen")
        run, name, rounds, seen = (wanted[key] for key in ("run", "space", "rounds", "seen"))
        if not _is_whole(run, len(explorer.runs) - 1):
            raise Refusal(404, "no such run")
        if rounds not in blind.NUM_ROUNDS or not isinstance(seen, bool):
            raise Refusal(422, f"expected rounds, one of {blind.NUM_ROUNDS}, and seen, a bool")

        def begin() -> Response:
            space = _choose(explorer.loaded_run(run), name)
            try:
                key = explorer.begin(run, space, rounds, seen)
            except InputError as error:
                raise Refusal(422, str(error)) from error
            shown = min(space.size, MAX_SHOWN)
            return JSONResponse({"key": key, "axes": shown}, 201)

        return await turn.compute(request, begin)

    return endpoint


def _blind_frame(explorer: Explorer, turn: _Turn) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        session = explorer.session(request.path_params["key"])
        place = _whole(request, "place", blind.PLACES)
        number = _whole(request, "round", max(blind.NUM_ROUNDS))

        def show() -> Response:
            current = session.current
            if current is None or number != session.number:
                raise Refusal(409, "this round is not being played")
            loaded = explorer.loaded_run(session.run)
            space = loaded.spaces[session.space]
            strips = frames.draw(loaded, space, current.basis(place), current.image)
            # Neither steps nor metrics nor rows: the eye alone is asked.
            return _packed(strips, {"dead": strips.dead.tolist()})

        return await turn.compute(request, show)

    return endpoint


def _guess(explorer: Explorer) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        session = explorer.session(request.path_params["key"])
        wanted = parse_object(await read_body(request))
        if wanted.keys() != {"round", "place"}:
            raise Refusal(422, "expected round and place")
        number, place = wanted["round"], wanted["place"]
        if not _is_whole(number, session.num_rounds - 1) or not _is_whole(place, blind.PLACES):
            raise Refusal(422, f"expected a round, and a place up to {blind.PLACES}")
        if not session.guess(number, place):
            raise Refusal(409, "this round is not being played, or was guessed otherwise")
        answer: dict[str, Any] = {"round": session.number, "rounds": session.num_rounds}
        result = session.result()
        if result is not None:
            hidden, guesses = result
            answer["result"] = {"hidden": hidden, "guesses": guesses, "seen": session.seen}
        return JSONResponse(answer)

    return endpoint


async def _file(request: Request) -> Response:
    path = request.path_params["path"]
    if path not in _FILES:
        raise Refusal(404, "no such file")
    name, media_type = _FILES[path]
    return Response((PAGE / name).read_bytes(), media_type=media_type)


def _choose(loaded: LoadedRun, name: object) -> Space:
    """A space by name; the main one if there is no name."""
    if name is None or name == "":
        return next(iter(loaded.spaces.values()))
    if not isinstance(name, str) or name not in loaded.spaces:
        raise Refusal(404, f"no such space; expected one of {', '.join(loaded.spaces)}")
    return loaded.spaces[name]


def _packed(strips: frames.Strips, header: dict[str, Any]) -> Response:
    """A frame: the header's length as uint32, the header as JSON, and the pictures' bytes."""
    text = json.dumps({"shape": strips.frames.shape, **header}).encode()
    content = struct.pack("<I", len(text)) + text + strips.frames.tobytes()
    return Response(content, media_type="application/octet-stream")


def _first(values: np.ndarray | None) -> list[Any] | None:
    return None if values is None else values[0].tolist()


def _whole(request: Request, name: str, largest: int) -> int:
    """A query's whole number from 0 to the largest; 0 if there is none."""
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= largest):
        raise Refusal(422, f"{name}: expected a whole number from 0 to {largest}")
    return int(text)


def _time(request: Request) -> float:
    try:
        time = float(request.query_params.get("time", "0"))
    except ValueError as error:
        raise Refusal(422, "time: expected a number from 0 to 1") from error
    if not (math.isfinite(time) and 0 <= time <= 1):
        raise Refusal(422, "time: expected a number from 0 to 1")
    return time


def _is_whole(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest


async def _refuse_input(request: Request, error: Exception) -> Response:
    """A run that cannot be loaded: the page says so, and another can be chosen."""
    return JSONResponse({"error": str(error)}, 409)
