"""Result files as the paper reads them: there, missing, or damaged."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError, load_npz
from models.registry import ARMS, PRIMARY, primary_metric
from paper import thin
from reproduce.metrics.registry import DECODER_SIDE

SHORT, FACES, CONTROLS, LONG = "short", "short-faces", "controls", "long"
REPLACED = "replaced"  # the first reported run
QUICK, QUICK_FACES = "quick", "quick-faces"  # models that show every factor
PROSE = {arm.key: arm.prose for arm in ARMS.values()}  # within a sentence
SYSTEMS = tuple(PRIMARY)
POSTERIORS = SYSTEMS[:2]
TURNED = ", factors turned"


class MissingError(Exception):
    """A result file is not there; whatever needs it says so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"not available: {name} is missing")


def name(arm: str) -> str:
    """An arm in few words."""
    key = arm.removesuffix(TURNED)
    return (ARMS[key].label if key in ARMS else key) + arm.removeprefix(key)


@dataclasses.dataclass(frozen=True)
class Results:
    """A folder of result files, such as paper/results.

    Attributes:
        root: The folder; files are named relative to it.
    """

    root: Path

    def find(self, file: str) -> Path:
        """The path of a file.

        Raises:
            MissingError: If there is none.
        """
        path = self.root / file
        if not path.is_file():
            raise MissingError(f"{self.root.resolve().name}/{file}")
        return path

    def table(self, file: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table with at least these columns.

        Raises:
            MissingError: If there is no such file.
            InputError: If it is damaged, empty, or lacks a column.
        """
        path = self.find(file)
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); make it anew") from error
        lacking = [column for column in columns if column not in frame.columns]
        if lacking or frame.empty:
            what = f"has no column {', '.join(lacking)}" if lacking else "has no rows"
            raise InputError(f"{path}: {what}; make it anew")
        return frame

    def settings(self, file: str) -> dict[str, Any]:
        """A config.json.

        Raises:
            MissingError: If there is no such file.
            InputError: If it is damaged.
        """
        path = self.find(file)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("expected an object")
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); make it anew") from error
        return content

    def arrays(self, file: str, required: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """An .npz.

        Raises:
            MissingError: If there is no such file.
            InputError: If it is damaged or lacks one of the `required` arrays.
        """
        return load_npz(self.find(file), required)

    def verdict(self, profile: str, arm: str, metric: str) -> dict[str, Any]:
        """The row of a profile's verdict.csv about an arm and a metric.

        Raises:
            MissingError: If the file is missing, or has no such row.
            InputError: If it is damaged.
        """
        return self._row(
            f"{profile}/verdict.csv", {"model": arm, "metric": metric}, ["special", "haar_p"]
        )

    def primary(self, profile: str, arm: str) -> dict[str, Any]:
        """The row about an arm's primary metric, as `models.registry.primary_metric` has it.

        Raises:
            MissingError: If the file is missing, or has no such row.
            InputError: If it is damaged.
        """
        table = self.table(f"{profile}/verdict.csv", ["model", "metric"])
        tested = set(table.loc[table["model"] == arm, "metric"])
        return self.verdict(profile, arm, primary_metric(arm, tested) or PRIMARY[arm])

    def contrast(self, profile: str, metric: str) -> dict[str, Any]:
        """The contrast of the two posteriors by a metric.

        Raises:
            MissingError: If the file is missing, or has no such row.
            InputError: If it is damaged.
        """
        where = {"model": POSTERIORS[0], "control": POSTERIORS[1], "metric": metric}
        return self._row(f"{profile}/contrast.csv", where, ["effect", "p_value", "smallest_p"])

    def _row(self, file: str, where: dict[str, str], columns: Sequence[str]) -> dict[str, Any]:
        frame = self.table(file, [*where, *columns])
        for column, value in where.items():
            frame = frame[frame[column] == value]
        if frame.empty:
            raise MissingError(
                f"{self.root.resolve().name}/{file}'s row of {' and '.join(where.values())}"
            )
        row = {str(key): value for key, value in frame.iloc[0].items()}
        if any(pd.isna(row[column]) for column in columns):  # no number, and so no finding
            raise MissingError(f"a number in {file}'s row of {' and '.join(where.values())}")
        return row

    def runs(self, profile: str, arm: str) -> list[Run]:
        """The trained seeds of an arm, in order.

        Raises:
            MissingError: If there is none.
        """
        stem = arm.replace("/", "-")
        found = {}
        for folder in (self.root / profile / "runs").glob(f"{stem}-seed*"):
            match = re.fullmatch(rf"{re.escape(stem)}-seed(\d+)", folder.name)
            if match and folder.is_dir():
                found[int(match[1])] = Run(self, f"{profile}/runs/{folder.name}", int(match[1]))
        if not found:
            raise MissingError(f"{self.root.resolve().name}/{profile}/runs/{stem}-seed*")
        return [found[seed] for seed in sorted(found)]


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of one trained seed."""

    results: Results
    folder: str
    seed: int

    def table(self, file: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table of the run's; errors are those of `Results.table`."""
        return self.results.table(f"{self.folder}/{file}", columns)

    def settings(self) -> dict[str, Any]:
        """The config.json of the run; as `Results.settings`."""
        return self.results.settings(f"{self.folder}/config.json")

    def test(self, metric: str) -> pd.DataFrame:
        """The rows of a metric in its test, of either side or of traversals; as `table`."""
        columns = ["family", "metric", "observed", "null_mean", "null_sd", "z", "num_bases", "t"]
        file, _, name = self._files(metric)
        frame = self.table(file, columns)
        return frame[frame["metric"] == name]

    def null(self, metric: str) -> np.ndarray:
        """float64 [bases]: draws of Haar-random bases of all latents; as `Results.arrays`."""
        _, file, name = self._files(metric)
        key = f"haar/{name}"
        arrays = self.results.arrays(f"{self.folder}/{file}", [key])
        return thin.null(arrays)[key].astype(float)

    def _files(self, metric: str) -> tuple[str, str, str]:
        """Where a metric is tested, where its draws are, and what it is called there."""
        if metric.startswith("traversal_purity"):
            return "traversal_purity.csv", "purity_null.npz", metric
        if metric.startswith(DECODER_SIDE):
            name = metric.removeprefix(DECODER_SIDE)
            return "decoder/basis_test.csv", "decoder/null.npz", name
        return "basis_test.csv", "null.npz", metric

    def strips(self) -> thin.Strips:
        """A few axes' traversals; as `Results.arrays`."""
        arrays = self.results.arrays(f"{self.folder}/traversals.npz", ["learned/frames"])
        return thin.strips(arrays, self.table("traversals.csv", ["basis", "axis", "step", "dead"]))
