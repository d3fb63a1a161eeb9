"""How far something is: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import tqdm

LINE_SECONDS = 60.0  # between two lines of a log
_LINE = "{desc}: {percentage:.0f}%, {n_fmt} of {total_fmt}{unit}, ends in {remaining}{postfix}"


def bar(iterable: Iterable[Any] | None = None, line: str = _LINE, **settings: Any) -> Any:
    """A tqdm that also tells a log how far it is, but says nothing of what takes under a minute.

    Args:
        iterable: What is gone through, if it is one.
        line: A line of a log, as tqdm's `bar_format`.
        settings: As tqdm takes them.
    """
    if sys.stderr.isatty():
        return tqdm.tqdm(iterable, **settings)
    return _Lines(iterable, **{**settings, "bar_format": line})


class _Lines(tqdm.tqdm):
    """Counts as tqdm does and prints a line now and then."""

    monitor_interval = 0  # no thread that would redraw it

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._told = time.monotonic()
        super().__init__(*arguments, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Where a bar would be redrawn: prints a line if the last one is old enough."""
        now = time.monotonic()
        if now - self._told >= LINE_SECONDS:
            self._told = now
            self.fp.write(f"{self}\n")
            self.fp.flush()

    def close(self) -> None:
        """Nothing is left to be cleared away."""
        self.disable = True
