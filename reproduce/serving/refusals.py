"""Requests that are refused, and how they are read: without a web framework."""

from __future__ import annotations

import json
from typing import Any


class Refusal(Exception):
    """A request that is refused and changes nothing.

    Attributes:
        status: The HTTP status that says why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object with no key twice and no number beyond JSON.

    Raises:
        Refusal: 400 if the bytes are none.
    """
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the body is no JSON in UTF-8, or has a key twice") from error
    if not isinstance(value, dict):
        raise Refusal(400, "the body is no JSON object")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
