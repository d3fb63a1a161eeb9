"""How numbers stand in the text and in figures: .223, p = .0001, a list of arms."""

from __future__ import annotations

import re
from collections.abc import Sequence

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def decimal(value: float, digits: int = 3) -> str:
    """A number with a fixed number of decimals and no zero before the point: .223, 1.08, −.30."""
    text = f"{value:.{digits}f}"
    text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    text = text.removeprefix("-") if not float(text) else text
    return text.replace("-", "−")


def interval(ends: tuple[float, float], digits: int = 3) -> str:
    """An interval by its ends: −.009 to −.006."""
    return " to ".join(decimal(end, digits) for end in ends)


def plain(value: float) -> str:
    """A number with as many decimals as it needs: .25, 0, 1."""
    text = f"{value:g}"
    return text.removeprefix("0") or "0"


def p_value(p: float) -> str:
    """A p-value with its relation: = .0001, = .33, = 1."""
    text = f"{p:.2g}" if p >= 1e-4 else f"{p:.0e}"
    return f"= {text.removeprefix('0')}"


def printed_p(p: float) -> str:
    """A p-value in Typst's markup, which no line breaks."""
    return f"_p_~{p_value(p).replace(' ', '~')}"


def signed(value: float, digits: int = 1) -> str:
    """A z score: 9.2, −0.3; no minus before a zero."""
    text = f"{value:.{digits}f}"
    return (text.removeprefix("-") if not float(text) else text).replace("-", "−")


def count(number: int) -> str:
    """A number as a word, up to ten."""
    return _COUNTS[number] if 0 <= number < len(_COUNTS) else str(number)


def listing(items: Sequence[str]) -> str:
    """One, two and three."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def thousands(number: float) -> str:
    """400,000."""
    return f"{number:,.0f}"


def sentence(text: str) -> str:
    """A program's sentence as the paper writes it: its p-values, signs and names."""
    for plain_text, ours in ((" +- ", " ± "), ("beta-VAE", "β-VAE"), (" - ", " − ")):
        text = text.replace(plain_text, ours)
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
    return re.sub(
        r"\bp = (\d+(?:\.\d+)?(?:e-\d+)?)", lambda found: printed_p(float(found[1])), markup(text)
    )


def markup(text: str) -> str:
    """Any text as Typst's markup that shows it as it is."""
    for mark in "\\#$*_`<>@[]~":
        text = text.replace(mark, f"\\{mark}")
    return text
