"""The table of what metrics say of single strips, as reproduce.study.stimuli writes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.files import InputError
from reproduce.study import spreadsheets

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
    table = spreadsheets.read(file, COLUMNS)[list(COLUMNS)]
    try:
        return table.assign(value=spreadsheets.numbers(table["value"]))
    except ValueError as error:
        raise InputError(f"{file}: a value is no number ({error}); make it anew") from error
