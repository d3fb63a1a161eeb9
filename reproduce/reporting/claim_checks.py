"""How a claim of the ledger is judged by result files.

There are three kinds of checks:

- A **figure** must be within the claim's tolerance: reproduced or not reproduced.
- A **criterion** is a relation such as "> 0", or a statement that is true or false: reproduced,
  not reproduced, or contradicted where what speaks against the claim was named before.
- A **test** of a difference, or of there being none, is decided by p-values at .05 alone. Each
  claim is tested for itself: no level is corrected for how many there are, and every row says so:

  - *difference*: reproduced if every p is at most .05; contradicted if every one of the opposite
    direction is; else inconclusive.
  - *equality*: contradicted if every p is at most .05; reproduced if the 90% interval of the effect
    lies within the margin of paper/protocol.md (two one-sided tests); else inconclusive, since
    what was not found may be there.

A **stand-in** is another experiment than the claim's own, such as a small classifier in place of
a large one. It may reproduce a claim or not, but it contradicts none.
"""

from __future__ import annotations

import dataclasses
import glob
import operator
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError
from reproduce.basis import over_seeds

REPRODUCED = "reproduced"
INCONCLUSIVE = "inconclusive"
NOT_REPRODUCED = "not reproduced"
CONTRADICTED = "contradicted"
DIFFERENCE, EQUALITY = "difference", "equality"
LEVEL = 0.05
_RELATIONS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_ROUNDING = 1e-9  # a difference that is one of binary fractions alone


@dataclasses.dataclass(frozen=True)
class Source:
    """Which number: the mean of a column over the rows that fit.

    Attributes:
        file: Relative to the folder of results; a pattern such as `runs/a-seed*/x.csv` takes many.
        column: The one that is averaged: of numbers, or of True and False.
        where: The values of other columns that a row must have.
        num_files: How many files must have such rows: fewer are a job that is not done.
    """

    file: str
    column: str
    where: Mapping[str, object] = dataclasses.field(default_factory=dict)
    num_files: int = 1


@dataclasses.dataclass(frozen=True)
class Check:
    """What decides a claim.

    Attributes:
        source: Which number.
        expect: A figure's value, which the claim's tolerance surrounds; a criterion's relation such
            as ">= 0.9", or True or False; for a test with `against` ">" or "<".
        contradicted: A criterion's value or relation that speaks against the claim.
        test: `DIFFERENCE` or `EQUALITY`, or empty.
        p: The columns of a test's p-values, in the rows of `source`.
        against: For a difference, what the number is compared with in place of p-values: by a
            one-sided permutation of seeds.
        effects: For an equality by MIG, the seeds' basis_test.csv, a pattern: the effect is that of
            each family whose p-value is asked for.
        stand_in: Whether this is another experiment than the claim's own.
        by: What alone stands for the claim's own words, where it is less than they say.
        show: Further columns of the same rows, numbers or texts, for the record.
    """

    source: Source
    expect: float | bool | str | None = None
    contradicted: float | bool | str | None = None
    test: str = ""
    p: tuple[str, ...] = ()
    against: Source | None = None
    effects: str = ""
    stand_in: bool = False
    by: str = ""
    show: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Finding:
    """What result files say about a claim."""

    measured: str
    verdict: str


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """The rows of a source, and their numbers."""

    source: Source
    rows: pd.DataFrame
    values: np.ndarray

    def mean(self, column: str | None = None) -> float:
        return float(np.mean(_floats(self.rows, column) if column else self.values))

    def by_seed(self) -> list[float]:
        """The mean of each seed, or of each representation or file where rows name no seed."""
        keys = next(c for c in ("seed", "representation", "_file") if c in self.rows)
        return pd.Series(self.values).groupby(self.rows[keys].to_numpy()).mean().tolist()


def parse(table: Any, name: str) -> Check:
    """A check from its table in the ledger.

    Args:
        table: As TOML gives it.
        name: The claim's, for errors.

    Raises:
        InputError: If it is none.
    """
    needed = {"file", "column"}
    fields = {field.name for field in dataclasses.fields(Check)} - {"source"}
    known = needed | {"where", "num_files"} | fields
    if not isinstance(table, dict) or not needed <= set(table) <= known:
        raise InputError(f"{name}: expected a check with some of the keys {', '.join(known)}")
    against = table.get("against")
    if against is not None:  # whatever it does not name is the same
        if not isinstance(against, dict):
            raise InputError(f"{name}: against is {against!r}; expected a table")
        against = _source({**table, **against}, name)
    check = Check(
        _source(table, name),
        table.get("expect"),
        table.get("contradicted"),
        table.get("test", ""),
        tuple(table.get("p", ())),
        against,
        table.get("effects", ""),
        table.get("stand_in", False),
        table.get("by", ""),
        tuple(table.get("show", ())),
    )
    for value in (check.expect, check.contradicted):
        if isinstance(value, str):
            _relation(value, against is not None, name)
        elif value is not None and not isinstance(value, bool | int | float):
            raise InputError(f"{name}: expect is {value!r}; expected a relation or a number")
    _require_one_kind(check, name)
    return check


def _require_one_kind(check: Check, name: str) -> None:
    """Raises InputError if a check mixes kinds, or lets something else decide than a test."""
    is_p = re.fullmatch(r"p_value|\w+_p", check.source.column)
    if not check.test:
        if check.expect is None:
            raise InputError(f"{name}: expected a check with expect, or a test")
        if check.against or check.p or check.effects or is_p:
            raise InputError(f"{name}: compares without a test; expected test = 'difference'")
        return
    if check.test not in (DIFFERENCE, EQUALITY):
        raise InputError(f"{name}: unknown test {check.test!r}; expected difference or equality")
    if bool(check.p) == bool(check.against) or check.contradicted is not None:
        raise InputError(f"{name}: expected a test with p or against, one of them, and no more")
    if (check.expect is None) != (check.against is None):
        raise InputError(f"{name}: expected a relation with against, and none with p")
    if check.test == EQUALITY and check.against:
        raise InputError(f"{name}: a permutation shows no equality; expected p")
    if check.effects and (check.test != EQUALITY or check.source.where.get("metric") != "mig"):
        raise InputError(f"{name}: effects are those of equality by MIG, which has a margin")


def _source(table: Mapping[str, Any], name: str) -> Source:
    source = Source(
        table["file"], table["column"], table.get("where", {}), table.get("num_files", 1)
    )
    kinds = {"file": str, "column": str, "where": dict, "num_files": int}
    for key, kind in kinds.items():
        if not isinstance(getattr(source, key), kind):
            raise InputError(
                f"{name}: {key} is {getattr(source, key)!r}; expected a {kind.__name__}"
            )
    return source


def _relation(text: str, compared: bool, name: str = "") -> tuple[Any, float]:
    """An operator and its right side, 0 where another number stands there."""
    sign, *rest = text.split()
    try:
        if len(rest) != (0 if compared else 1):
            raise ValueError
        return _RELATIONS[sign], float(rest[0]) if rest else 0.0
    except (KeyError, ValueError):
        wanted = "'>'" if compared else "'>= 0.9'"
        raise InputError(f"{name}: {text!r} is no relation; expected one like {wanted}") from None


def evaluate(check: Check, tolerance: float, results: Path) -> Finding | None:
    """What the results say; None if they are not all there.

    Args:
        check: The check.
        tolerance: A figure's.
        results: A folder of result files, such as results/quick.

    Raises:
        InputError: If a result file is damaged or has other columns.
    """
    found = _find(check.source, results)
    other = _find(check.against, results) if check.against else None
    if found is None or (check.against and other is None):
        return None
    if not check.test:
        told, verdict = "", _by_criterion(check, found.mean(), tolerance)
    elif check.test == DIFFERENCE:
        told, verdict = _of_difference(check, found, other)
    else:
        effects = _effects(check, results)
        if effects is None:
            return None
        told, verdict = _of_equality(check, found, effects)
    return Finding(_describe(check, found, other, told, results), verdict)


def _by_criterion(check: Check, value: float, tolerance: float) -> str:
    def holds(expected: float | bool | str) -> bool:
        if isinstance(expected, str):
            relation, limit = _relation(expected, compared=False)
            return bool(relation(value, limit))
        return abs(value - float(expected)) <= tolerance + _ROUNDING

    assert check.expect is not None
    if holds(check.expect):
        return REPRODUCED
    against = check.contradicted is not None and holds(check.contradicted)
    return CONTRADICTED if against else NOT_REPRODUCED


def _of_difference(check: Check, found: _Numbers, other: _Numbers | None) -> tuple[str, str]:
    """What the test says in words, and the verdict."""
    if other is None:
        p = _floats(found.rows, list(check.p))
        opposite = 1 - p
        told = ""
    else:
        larger, smaller = found.by_seed(), other.by_seed()
        if check.expect == "<":
            larger, smaller = smaller, larger
        p, opposite = _permuted(larger, smaller), _permuted(smaller, larger)
        told = f"p {p:.2g} by permutation of seeds"
    if np.all(p <= LEVEL):
        return told, REPRODUCED
    if np.all(opposite <= LEVEL + _ROUNDING):
        return told, NOT_REPRODUCED if check.stand_in else CONTRADICTED
    reason = f"inconclusive since p = {np.max(p):.2g} is above {LEVEL}"
    return f"{told}, {reason}" if told else reason, INCONCLUSIVE


def _permuted(larger: list[float], smaller: list[float]) -> np.ndarray:
    p, _ = over_seeds.permutation_contrast(larger, smaller, np.random.default_rng(0))
    return np.array(p)


def _of_equality(
    check: Check, found: _Numbers, effects: list[over_seeds.Interval]
) -> tuple[str, str]:
    """What the test says in words, and the verdict."""
    p = _floats(found.rows, list(check.p))
    if np.all(p <= LEVEL):
        return "", NOT_REPRODUCED if check.stand_in else CONTRADICTED
    listed = " and ".join(f"{e.narrow_low:.3f} to {e.narrow_high:.3f}" for e in effects)
    within = f"90% intervals of the effect {listed}, margin {over_seeds.MARGIN}"
    if effects and all(effect.lies_within(over_seeds.MARGIN) for effect in effects):
        return within, REPRODUCED
    if np.any(p <= LEVEL):
        return f"inconclusive since p = {np.min(p):.2g} to {np.max(p):.2g} disagree", INCONCLUSIVE
    reason = "inconclusive since no difference was found and none is excluded"
    return f"{reason}: {within if effects else 'this measure has no margin'}", INCONCLUSIVE


def _effects(check: Check, results: Path) -> list[over_seeds.Interval] | None:
    """Learned less random of each family over seeds; empty without any, None if not there."""
    intervals = []
    for column in check.p if check.effects else ():
        where = {"metric": "mig", "family": column.removesuffix("_p")}
        found = _find(Source(check.effects, "observed", where), results)
        if found is None:
            return None
        effects = found.values - _floats(found.rows, "null_mean")
        intervals.append(over_seeds.interval(effects.tolist(), np.random.default_rng(0)))
    return intervals


def _floats(rows: pd.DataFrame, columns: str | list[str]) -> np.ndarray:
    try:
        return rows[columns].to_numpy(float)
    except KeyError as error:
        raise InputError(
            f"{rows['_file'].iloc[0]}: lacks a column ({error}); make it anew"
        ) from None


def _find(source: Source, results: Path) -> _Numbers | None:
    """The numbers of a source; None if they are not all there."""
    pattern = str(Path(glob.escape(str(results))) / source.file)
    frames = []
    for file in sorted(glob.glob(pattern)):  # noqa: PTH207, since patterns may begin with ..
        try:
            frame = pd.read_csv(file).assign(_file=file)
            for column, value in source.where.items():
                frame = frame[frame[column] == value]
            _floats(frame, source.column)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise InputError(
                f"{file}: missing, damaged, or without a column ({error}); make it anew"
            ) from error
        if "seed" in frame and frame["seed"].notna().any():
            frame = frame[frame["seed"].notna()]  # means over seeds stand beside them
        if not frame.empty:
            frames.append(frame)
    if len(frames) < source.num_files:
        return None
    rows = pd.concat(frames, ignore_index=True)
    return _Numbers(source, rows, _floats(rows, source.column))


def _describe(
    check: Check, found: _Numbers, other: _Numbers | None, told: str, results: Path
) -> str:
    """The measurement with its spread, seeds and files."""
    parts = [] if check.source.column in check.p else [_one(check.source.column, found)]
    if other is not None:
        parts[0] += f" against {_one('', other)}"
    for column in dict.fromkeys((*check.p, *check.show)):
        if column not in found.rows:
            raise InputError(f"{found.rows['_file'][0]}: has no column {column}; make it anew")
        values = found.rows[column]
        if not pd.api.types.is_numeric_dtype(values):
            parts += [str(value).rstrip(".") for value in values.unique()]
        elif column in check.p:  # a mean of p-values is none
            parts.append(f"{column} {', '.join(f'{value:.4g}' for value in values)}")
        else:
            parts.append(f"{column} {found.mean(column):.4g}")
    seeds = _seeds(found.rows)
    if seeds:
        parts.append(f"seeds {' '.join(seeds)}")
    parts += [told] if told else []
    parts += [f"by {check.by} alone"] if check.by else []
    parts += [f"tested at {LEVEL}, not corrected"] if check.test else []
    files = [found.source.file, *([other.source.file] if other else []), check.effects]
    base = results.resolve().name
    named = dict.fromkeys(posixpath.normpath(posixpath.join(base, f)) for f in files if f)
    return f"{', '.join(parts)} ({', '.join(named)})"


def _one(column: str, numbers: _Numbers) -> str:
    kind = pd.api.types.infer_dtype(numbers.rows[numbers.source.column])
    if len(numbers.values) == 1 and kind == "boolean":
        return f"{column} {str(bool(numbers.values[0])).lower()}".strip()
    text = f"{column} {numbers.mean():.4g}".strip()
    if len(numbers.values) > 1:
        text += f" (mean of {len(numbers.values)}, sd {numbers.values.std(ddof=1):.2g})"
    return text


def _seeds(rows: pd.DataFrame) -> list[str]:
    """The seeds that rows name, or the paths of their runs."""
    # Representations that were given by their files have no data set, and numbers for seeds.
    trained = rows[rows["data_set"].notna()] if "data_set" in rows else rows
    named = [word for cell in trained.get("seeds", ()) for word in str(cell).split()]
    if "seed" in rows:
        named += [f"{seed:.0f}" for seed in rows["seed"].dropna()]
    paths = [*rows["_file"], *rows.get("representation", ())]
    in_paths = [seed for path in paths for seed in re.findall(r"seed(\d+)", str(path))]
    return list(dict.fromkeys(named or in_paths))
