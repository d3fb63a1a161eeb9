"""Tables as spreadsheets write them: semicolons, decimal commas, byte order marks."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data.files import InputError


def read(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads a table as text, whatever its separator, encoding and line ends.

    Raises:
        InputError: If it is missing or damaged, or lacks a column.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected a table with {', '.join(columns)}")
    text = _text(file)
    if text.startswith("sep="):  # a line in which some spreadsheets name it
        text = text.partition("\n")[2].lstrip("\n")
    header = text.partition("\n")[0].strip()
    if header and text.count(header) > 1:
        # JATOS joins the tables of all raters, each with its header, into one file.
        rows = [row for row in text.replace(header, "\n").split("\n") if row.strip()]
        text = "\n".join([header, *rows])
    separator = max(",;\t", key=header.count)  # a spreadsheet's own, in many languages
    try:
        table = pd.read_csv(
            io.StringIO(text),
            dtype=str,
            keep_default_na=False,
            sep=separator,
            index_col=False,
        )
    except (ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: no readable table ({reason}); export it anew") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"{file}: has no column {', '.join(missing)}; export it anew")
    return table


def _text(file: Path) -> str:
    """A text file in UTF-8, or as spreadsheets write it: with a byte order mark, or in Latin-1."""
    content = file.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")


def numbers(column: pd.Series) -> pd.Series:
    """Numbers with a decimal point or a decimal comma: float64.

    Raises:
        ValueError: If one is no number; an empty one is NaN.
    """
    text = column.str.strip()
    has_point = text.str.contains(".", regex=False)
    return pd.to_numeric(text.where(has_point, text.str.replace(",", "."))).astype(float)
