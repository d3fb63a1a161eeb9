"""The ledger of published claims: read, checked against result files, filled in.

A claim that can be checked has a `check`: which number of which result file must be what.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import operator
import posixpath
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
CONTRADICTED = "contradicted"
NOT_YET_RUN = "not yet run"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, CONTRADICTED, NOT_YET_RUN)
SURENESS = ("A", "B", "C")  # the authors' artefact, a text that quotes the paper, memory
_RELATIONS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_ROUNDING = 1e-9  # a difference that is one of binary fractions alone


@dataclasses.dataclass(frozen=True)
class Source:
    """Which number: the mean of a column over the rows that fit.

    Attributes:
        file: Relative to the folder of results; a pattern such as `runs/a-seed*/x.csv` takes many.
        column: Of numbers, or of True and False.
        where: The values of other columns that a row must have.
        num_files: How many files must have such rows: fewer are a job that is not done.
    """

    file: str
    column: str
    where: Mapping[str, object] = dataclasses.field(default_factory=dict)
    num_files: int = 1


@dataclasses.dataclass(frozen=True)
class Check:
    """What the number must be for the claim to be reproduced.

    Attributes:
        source: Which number.
        expect: Its value, which the claim's tolerance surrounds, or a relation such as "<= 0.05";
            with `against` a mere ">" or "<".
        against: A number that it is compared with.
        contradicted: The value or relation that speaks against the claim; short of it a claim
            whose expectation fails is not reproduced. None if no result could.
        show: Further columns of the same rows, numbers or texts, for the record.
    """

    source: Source
    expect: float | bool | str
    against: Source | None = None
    contradicted: float | bool | str | None = None
    show: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published figure or statement, as paper/claims.toml describes its keys.

    Attributes:
        tolerance: Of a figure a number, of a statement its criterion in words.
        check: None where nothing in this kit can decide it.
    """

    id: str
    paper: str
    arxiv: str
    where: str
    says: str
    sure: str
    setting: str
    command: str
    tolerance: float | str
    measured: str
    verdict: str
    check: Check | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What result files say about a claim."""

    measured: str
    verdict: str


_KEYS = tuple(field.name for field in dataclasses.fields(Claim) if field.name != "check")


def read(file: Path) -> tuple[Claim, ...]:
    """Reads a ledger.

    Raises:
        InputError: If it is missing or damaged; the line says where.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: missing or unreadable ({error}); give a ledger") from error
    try:
        return parse(text)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def parse(text: str) -> tuple[Claim, ...]:
    """A ledger from its text.

    Raises:
        InputError: If it is none.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"damaged ({error})") from error
    claims = tables.get("claim")
    if set(tables) != {"claim"} or not isinstance(claims, list) or not claims:
        raise InputError("expected [[claim]] tables and nothing else")
    read_claims = tuple(_claim(table, number) for number, table in enumerate(claims, 1))
    ids = [claim.id for claim in read_claims]
    for name in ids:
        if ids.count(name) > 1:
            raise InputError(f"claim {name} stands there twice")
    return read_claims


def _claim(table: Any, number: int) -> Claim:
    name = f"claim {table.get('id', number)}" if isinstance(table, dict) else f"claim {number}"
    if not isinstance(table, dict) or not set(_KEYS) <= set(table) <= {*_KEYS, "check"}:
        raise InputError(f"{name}: expected the keys {', '.join(_KEYS)}, and check where it is run")
    for key in _KEYS:
        kinds = (str, int, float) if key == "tolerance" else (str,)
        if not isinstance(table[key], kinds) or isinstance(table[key], bool):
            raise InputError(f"{name}: {key} is {table[key]!r}; expected a text")
    for key, known in {"sure": SURENESS, "verdict": VERDICTS}.items():
        if table[key] not in known:
            raise InputError(f"{name}: unknown {key} {table[key]!r}; expected {', '.join(known)}")
    check = _check(table["check"], name) if "check" in table else None
    claim = Claim(**{key: table[key] for key in _KEYS}, check=check)
    if not claim.setting:
        raise InputError(f"{name}: has no setting")
    if claim.sure == "C" and (check is not None or claim.verdict != NOT_YET_RUN):
        raise InputError(f"{name}: is quoted from memory (C), which may decide no verdict")
    if (check is None) != (not claim.command):
        raise InputError(f"{name}: a command and a check come together; one is missing")
    if check is None and (claim.verdict != NOT_YET_RUN or claim.measured):
        raise InputError(f"{name}: has a verdict or a measurement, but no check that gives it")
    if check is not None:
        figure = not isinstance(check.expect, bool | str)
        if figure == isinstance(claim.tolerance, str) or claim.tolerance == "":
            raise InputError(f"{name}: expected a tolerance, a number where a number is expected")
    return claim


def _check(table: Any, name: str) -> Check:
    needed = ("file", "column", "expect")
    known = (*needed, "where", "num_files", "against", "contradicted", "show")
    if not isinstance(table, dict) or not set(needed) <= set(table) <= set(known):
        raise InputError(f"{name}: expected a check with some of the keys {', '.join(known)}")
    source = _source(table, name)
    against = table.get("against")
    if against is not None:  # whatever it does not name is the same
        if not isinstance(against, dict):
            raise InputError(f"{name}: against is {against!r}; expected a table")
        against = _source({**table, **against}, name)
    for key in ("expect", "contradicted"):
        value = table.get(key)
        if isinstance(value, str):
            _relation(value, against is not None, name)
        elif value is not None and (not isinstance(value, bool | int | float) or against):
            raise InputError(f"{name}: {key} is {value!r}; expected a relation or a number")
    contradicted = table.get("contradicted")
    return Check(source, table["expect"], against, contradicted, tuple(table.get("show", ())))


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
        wanted = "'>'" if compared else "'<= 0.05'"
        raise InputError(f"{name}: {text!r} is no relation; expected one like {wanted}") from None


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """The rows of a source, and their numbers."""

    source: Source
    rows: pd.DataFrame
    values: np.ndarray

    def mean(self, column: str | None = None) -> float:
        return float(np.mean(_floats(self.rows, column) if column else self.values))


def _floats(rows: pd.DataFrame, column: str) -> np.ndarray:
    return rows[column].to_numpy(float)


def _find(source: Source, results: Path) -> _Numbers | None:
    """The numbers of a source; None if they are not all there."""
    pattern = str(Path(glob.escape(str(results))) / source.file)
    frames = []
    for file in sorted(glob.glob(pattern)):  # noqa: PTH207, since patterns may begin with ..
        try:
            frame = pd.read_csv(file)
            for column, value in source.where.items():
                frame = frame[frame[column] == value]
            _floats(frame, source.column)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{file}: missing, damaged, or without a column ({error}); make it anew"
            ) from error
        if not frame.empty:
            frames.append(frame.assign(_file=file))
    if len(frames) < source.num_files:
        return None
    rows = pd.concat(frames, ignore_index=True)
    return _Numbers(source, rows, _floats(rows, source.column))


def evaluate(claim: Claim, results: Path) -> Finding | None:
    """What the results say about a claim; None if it has no check, or its results are not there.

    Args:
        claim: The claim.
        results: A folder of result files, such as results/quick.

    Raises:
        InputError: If a result file is damaged or has other columns.
    """
    check = claim.check
    if check is None:
        return None
    found = _find(check.source, results)
    other = _find(check.against, results) if check.against else None
    if found is None or (check.against and other is None):
        return None
    value = found.mean()
    reference = other.mean() if other else None
    tolerance = 0.0 if isinstance(claim.tolerance, str) else float(claim.tolerance)
    if _holds(check.expect, value, reference, tolerance):
        verdict = REPRODUCED
    elif check.contradicted is not None and _holds(check.contradicted, value, reference, tolerance):
        verdict = CONTRADICTED
    else:
        verdict = NOT_REPRODUCED
    return Finding(_describe(check, found, other, results), verdict)


def _holds(
    expect: float | bool | str, value: float, reference: float | None, tolerance: float
) -> bool:
    if isinstance(expect, str):
        relation, limit = _relation(expect, reference is not None)
        return bool(relation(value, limit if reference is None else reference))
    return abs(value - float(expect)) <= tolerance + _ROUNDING


def _describe(check: Check, found: _Numbers, other: _Numbers | None, results: Path) -> str:
    """The measurement with its spread, seeds and files."""
    parts = [_one(check.source.column, found)]
    if other is not None:
        parts[0] += f" against {_one('', other)}"
    for column in check.show:
        if column not in found.rows:
            raise InputError(f"{found.rows['_file'][0]}: has no column {column}; make it anew")
        values = found.rows[column]
        if pd.api.types.is_numeric_dtype(values):
            parts.append(f"{column} {found.mean(column):.4g}")
        else:
            parts += [str(value).rstrip(".") for value in values.unique()]
    seeds = _seeds(found.rows)
    if seeds:
        parts.append(f"seeds {' '.join(seeds)}")
    files = [found.source.file, *([other.source.file] if other else [])]
    base = results.resolve().name
    named = dict.fromkeys(posixpath.normpath(posixpath.join(base, file)) for file in files)
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
    paths = [*rows["_file"], *rows.get("representation", ())]
    in_paths = [seed for path in paths for seed in re.findall(r"seed(\d+)", str(path))]
    return list(dict.fromkeys(named or in_paths))


def fill_in(text: str, findings: Mapping[str, Finding]) -> str:
    """Writes findings into a ledger's text; all else stays as it is, to the byte.

    Args:
        text: The ledger.
        findings: By the claims' ids.

    Raises:
        InputError: If `measured` and `verdict` are not a line each of every claim.
    """
    claims = parse(text)
    lines = text.splitlines(keepends=True)
    number, inside = -1, False
    for index, line in enumerate(lines):
        if line.startswith("["):
            inside = line.startswith("[[claim]]")
            number += inside
        match = re.match(r"(measured|verdict) *=", line) if inside else None
        if match and claims[number].id in findings:
            finding = findings[claims[number].id]
            value = json.dumps(getattr(finding, match[1]), ensure_ascii=False)
            ending = line[len(line.rstrip("\r\n")) :]
            lines[index] = f"{match[1]} = {value}{ending}"
    filled = "".join(lines)
    wanted = tuple(
        dataclasses.replace(claim, **dataclasses.asdict(findings[claim.id]))
        if claim.id in findings
        else claim
        for claim in claims
    )
    try:
        written = parse(filled)
    except InputError:
        written = ()
    if written != wanted:
        raise InputError("expected `measured` and `verdict` on one line of their own in each claim")
    return filled


def table(claims: Sequence[Claim], findings: Mapping[str, Finding]) -> pd.DataFrame:
    """The ledger as a table: a row for each claim, with what the results at hand say."""
    rows = []
    for claim in claims:
        finding = findings.get(claim.id)
        rows.append(
            {
                "id": claim.id,
                "paper": claim.paper.split(",")[0],
                "sure": claim.sure,
                "verdict": claim.verdict,
                "at hand": finding.verdict if finding else "",
                "measured": finding.measured if finding else claim.measured,
            }
        )
    return pd.DataFrame(rows)
