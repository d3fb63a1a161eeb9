"""The table of what metrics say of single strips, as reproduce.study.stimuli writes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.files import InputError

COLUMNS = ("strip", "metric", "value")
# A higher value says: more like a change of one thing.
TITLES = {
    "purity": "traversal purity of the strip",
    "mig_sup": "gap between the axis' two best factors (MIG-sup)",
}


def read(file: Path) -> pd.DataFrame:
    """Reads a table of `strip`, `metric`, `value`.

    Raises:
        InputError: If it is missing or damaged.
    """
    columns = list(COLUMNS)
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected a table with {', '.join(columns)}")
    try:
        table = pd.read_csv(file, dtype={"strip": str, "metric": str, "value": float})
        return table[columns]
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{file}: no table of {', '.join(columns)} ({' '.join(str(error).split())})"
        ) from error
