"""Marked regions of Markdown pages, which a program fills.

A region begins with a line `<!-- begin: NAME -->` and ends with the next `<!-- end -->`; what
stands between is written by the part of that name.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from data.files import InputError

_WIDTH = 100
_REGION = re.compile(
    r"^(?P<start><!-- begin: (?P<name>\S+) -->\n).*?^(?P<end><!-- end -->)$",
    re.DOTALL | re.MULTILINE,
)


def names(page: str) -> list[str]:
    """The names of a page's regions, in order."""
    return [match["name"] for match in _REGION.finditer(page)]


def filled(page: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """A page with every region written anew.

    Args:
        page: Markdown.
        parts: What writes each region.

    Raises:
        InputError: If a region has no part, or a mark of a region no end.
    """
    if page.count("<!-- begin: ") != len(names(page)):
        raise InputError("a region begins and does not end; close it with <!-- end -->")

    def fill(match: re.Match[str]) -> str:
        if match["name"] not in parts:
            raise InputError(
                f"no part is called {match['name']!r}; expected one of {', '.join(parts)}"
            )
        return f"{match['start']}{parts[match['name']]().strip()}\n{match['end']}"

    return _REGION.sub(fill, page)


def paragraph(*sentences: str) -> str:
    """Sentences as a paragraph of lines that a terminal shows."""
    text = " ".join(sentence for sentence in sentences if sentence)
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells hold no line breaks, and bars in them are escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def table_of(frame: pd.DataFrame) -> str:
    """A frame of cells as they are printed."""
    return table(list(frame.columns), frame.to_numpy().tolist())
