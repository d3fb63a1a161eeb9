"""README and the pages of docs/ as their tests read them: commands, code, links and headings."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

from programs import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_PYTHON = (".venv/bin/python", "-m")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of a page.

    Attributes:
        page: The page's name.
        words: As a shell splits it.
    """

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def module(self) -> str:
        """The module that it runs; empty if it runs none."""
        return self.words[2] if self.words[:2] == _PYTHON else ""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of that module."""
        return self.words[3:]


def commands(page: Path) -> list[Command]:
    """The commands of a page: those of its blocks in order, then those within sentences."""
    return [*blocks(page), *_inline(page)]


def blocks(page: Path) -> list[Command]:
    """The commands of a page's blocks without a language, in order."""
    text = page.read_text(encoding="utf-8")
    lines = [
        part
        for language, block in _FENCE.findall(text)
        if not language
        for line in block.splitlines()
        for part in line.partition("#")[0].split(" && ")
    ]
    return [_command(page, line) for line in lines if line.strip()]


def _inline(page: Path) -> list[Command]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found = []
    for code in _INLINE.findall(text.partition("<!-- begin: commands -->")[0]):
        line = " ".join(code.split())
        if re.match(r"(make|pip|\.venv/bin/\w+) ", line):
            found.append(_command(page, line))
        elif re.match(r"(python -m )?(reproduce|paper)\.[\w.]+( --|$)", line):
            found.append(_command(page, f"{' '.join(_PYTHON)} {line.removeprefix('python -m ')}"))
    return found


def _command(page: Path, line: str) -> Command:
    return Command(page.name, tuple(shlex.split(line)))


def code(page: Path) -> list[str]:
    """The Python of a page, block by block."""
    text = page.read_text(encoding="utf-8")
    return [block for language, block in _FENCE.findall(text) if language == "python"]


def links(page: Path) -> list[str]:
    """What a page links to within the repository."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in _LINK.findall(text) if not link.startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """What can be linked to within a page: its headings as GitHub names them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in kept}
