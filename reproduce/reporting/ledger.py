"""The ledger of published claims: read, checked against result files, filled in.

A claim that can be checked has a `check` (`reporting.claim_checks`), which decides its verdict.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data.files import InputError
from reproduce.reporting import claim_checks, published_settings
from reproduce.reporting.claim_checks import Check, Finding
from reproduce.reporting.published_settings import PublishedSettings

NOT_YET_RUN = "not yet run"
VERDICTS = (
    claim_checks.REPRODUCED,
    claim_checks.INCONCLUSIVE,
    claim_checks.NOT_REPRODUCED,
    claim_checks.CONTRADICTED,
    NOT_YET_RUN,
)
SURENESS = ("A", "B", "C")  # the authors' artefact, a text that quotes the paper, memory
NOWHERE = "nowhere"
RUNS_ON = ("two cores", "a GPU", NOWHERE)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published figure or statement, as paper/claims.toml describes its keys.

    Attributes:
        id: The source's key in paper/references.bib, a hyphen, and a word of the claim's own.
        runs_on: Where the claim's own experiment, or the stand-in for it, can be run.
        because: Why there, or why nowhere.
        tolerance: A number for a figure, a criterion in words for a statement.
        check: None where nothing in this kit can decide it.
        settings: What a recipe is held against, in a row about how models were trained.
    """

    id: str
    paper: str
    arxiv: str
    where: str
    says: str
    sure: str
    setting: str
    runs_on: str
    because: str
    command: str
    tolerance: float | str
    measured: str
    verdict: str
    check: Check | None = None
    settings: PublishedSettings | None = None

    @property
    def source(self) -> str:
        """The source's key in paper/references.bib."""
        return self.id.partition("-")[0]

    @property
    def sureness(self) -> str:
        """How sure the quotation is, in words where it decides nothing."""
        return "C, decides nothing" if self.sure == "C" else self.sure


_TABLES = ("check", "settings")
_KEYS = tuple(field.name for field in dataclasses.fields(Claim) if field.name not in _TABLES)


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
    except (ValueError, RecursionError) as error:
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
    if not isinstance(table, dict) or not set(_KEYS) <= set(table) <= {*_KEYS, *_TABLES}:
        raise InputError(
            f"{name}: expected the keys {', '.join(_KEYS)}, check where it is run, and settings "
            "where it has some"
        )
    for key in _KEYS:
        kinds = (str, int, float) if key == "tolerance" else (str,)
        if not isinstance(table[key], kinds) or isinstance(table[key], bool):
            raise InputError(f"{name}: {key} is {table[key]!r}; expected a text")
    for key, known in {"sure": SURENESS, "verdict": VERDICTS, "runs_on": RUNS_ON}.items():
        if table[key] not in known:
            raise InputError(f"{name}: unknown {key} {table[key]!r}; expected {', '.join(known)}")
    check = claim_checks.parse(table["check"], name) if "check" in table else None
    settings = published_settings.parse(table["settings"], name) if "settings" in table else None
    claim = Claim(**{key: table[key] for key in _KEYS}, check=check, settings=settings)
    for key in ("setting", "because"):
        if not getattr(claim, key):
            raise InputError(f"{name}: has no {key}")
    if claim.command and claim.runs_on == NOWHERE:
        raise InputError(f"{name}: has a command, but runs nowhere")
    if claim.sure == "C" and (check is not None or claim.verdict != NOT_YET_RUN):
        raise InputError(f"{name}: is quoted from memory (C), which may decide no verdict")
    if (check is None) != (not claim.command):
        raise InputError(f"{name}: a command and a check come together; one is missing")
    if check is None and (claim.verdict != NOT_YET_RUN or claim.measured):
        raise InputError(f"{name}: has a verdict or a measurement, but no check that gives it")
    if check is not None:
        figure = not check.test and not isinstance(check.expect, bool | str)
        if figure == isinstance(claim.tolerance, str) or claim.tolerance == "":
            raise InputError(f"{name}: expected a tolerance, a number where a number is expected")
    return claim


def evaluate(claim: Claim, results: Path) -> Finding | None:
    """What the results say about a claim; None if it has no check, or its results are not there.

    Args:
        claim: The claim.
        results: A folder of result files, such as results/quick.

    Raises:
        InputError: If a result file is damaged or has other columns.
    """
    if claim.check is None:
        return None
    tolerance = 0.0 if isinstance(claim.tolerance, str) else float(claim.tolerance)
    return claim_checks.evaluate(claim.check, tolerance, results)


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
                "sure": claim.sureness,
                "runs on": claim.runs_on,
                "verdict": claim.verdict,
                "at hand": finding.verdict if finding else "",
                "measured": finding.measured if finding else claim.measured,
            }
        )
    return pd.DataFrame(rows)
