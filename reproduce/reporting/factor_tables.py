"""What a basis test writes by factor, read and held against the test that it is said to be of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data.files import InputError
from reproduce.basis import factor_verdicts
from reproduce.basis.representation import Representation
from reproduce.reporting import result_tables

FACTOR_TEST = "factor_test.csv"
SHARES = "axis_information.csv"
_TOLERANCE = 1e-6


def read(test: Path, encoded: Representation, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Reads what lies beside a basis test: `by_factor` and `shares`; empty if they are not there.

    Args:
        test: basis_test.csv.
        encoded: What was tested.
        frame: The test's table, by which the others are checked: MIG is the mean of the gaps.

    Raises:
        InputError: If a file is damaged, or of another test.
    """
    files = [test.with_name(name) for name in (FACTOR_TEST, SHARES)]
    if not all(file.exists() for file in files):
        return {}
    columns = [factor_verdicts.COLUMNS, ("axis", *encoded.factor_names)]
    found = [
        _numbers(file, list(names), ("family", "factor"))
        for file, names in zip(files, columns, strict=True)
    ]
    by_factor, shares = found
    names = list(encoded.factor_names)
    for family, rows in by_factor.groupby("family"):
        of_mig = frame[(frame["family"] == family) & (frame["metric"] == "mig")]["observed"]
        if list(rows["factor"]) != names or not np.allclose(
            of_mig, rows["gap"].mean(), atol=_TOLERANCE
        ):
            raise InputError(f"{files[0]}: not of the same test as {test}; test anew")
    if len(shares) != encoded.latents.shape[1]:
        raise InputError(f"{files[1]}: not of the same test as {test}; test anew")
    return {"by_factor": by_factor, "shares": shares}


def _numbers(file: Path, columns: list[str], words: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = result_tables.parse(file)[columns]
        for column in columns:
            if column not in words:
                frame[column] = pd.to_numeric(frame[column])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: missing or damaged ({error}); make it anew") from error
    return frame
