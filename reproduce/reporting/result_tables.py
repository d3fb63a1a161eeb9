"""Tables of results and the fingerprint that ties each to the draws beside it.

A table is a CSV file, which other programs can change; the .npz beside it, with the draws, knows
what it said when it was written.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.files import InputError, write_text


def parse(source: Path | io.StringIO) -> pd.DataFrame:
    """A table as it was written: a factor may be called 1 or NA, and only an empty cell is NaN."""
    names = dict.fromkeys(("factor", "given"), str)
    return pd.read_csv(source, dtype=names, keep_default_na=False, na_values=[""])


def read(file: Path, columns: Sequence[str], min_rows: int = 1) -> pd.DataFrame:
    """Reads a result table.

    Raises:
        InputError: If it is missing, damaged, or lacks one of the columns or rows.
    """
    try:
        frame = parse(file)
        if not set(columns) <= set(frame.columns) or len(frame) < min_rows:
            raise ValueError(f"expected rows with the columns {', '.join(columns)}")
        if columns[0] == "step" and frame[list(columns)].isna().any(axis=None):
            raise ValueError("an empty cell")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: missing or damaged ({reason}); make it anew") from error
    return frame


def at_end(log: pd.DataFrame, column: str) -> float:
    """What a training ended with: the mean of a logged column over the last tenth of the log.

    Args:
        log: training.csv, of at least one row.
        column: One of its columns, of numbers.
    """
    return float(log[column].tail(max(1, len(log) // 10)).mean())


def write(file: Path, table: pd.DataFrame) -> None:
    """Writes a result table."""
    write_text(file, table.to_csv(index=False))


def fingerprint(table: pd.DataFrame) -> np.ndarray:
    """SHA-256 of a table as it will be read, whatever its columns' order: a string for an .npz."""
    return np.array(_digest(parse(io.StringIO(table.to_csv(index=False)))))


def check(file: Path, table: pd.DataFrame, expected: np.ndarray | None) -> None:
    """Whether a table that was read is the one that was written.

    Args:
        file: For the message.
        table: As `read` gives it.
        expected: Its `fingerprint`; None if none was kept, as by earlier versions.

    Raises:
        InputError: If it is not.
    """
    if expected is not None and str(expected) != _digest(table):
        raise InputError(
            f"{file}: not as it was written: cut short, changed, or of another test than the .npz "
            "beside it; test anew"
        )


def _digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in sorted(map(str, table.columns)):
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):  # a whole number is one with or without a point
            values = values.astype(np.float64)
        digest.update(repr((name, values.tolist())).encode())
    return digest.hexdigest()
