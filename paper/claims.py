"""The ledger of published claims as the paper shows it, judged by the results at hand."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from paper.sources import Results
from paper.words import listing, markup, plain
from reproduce.reporting import claim_checks, ledger

FILE = Path(__file__).parent / "claims.toml"
UNAVAILABLE = "not available"
# The ledger names the file of power as seen from results/short; here it lies in the same folder.
_MOVED = ("../../paper/results/", "../")


@dataclasses.dataclass(frozen=True)
class Judged:
    """A claim with what the results at hand say of it."""

    claim: ledger.Claim
    verdict: str
    measured: str

    @property
    def is_tested(self) -> bool:
        """Whether the verdict is that of a test."""
        check = self.claim.check
        is_judged = self.verdict not in (ledger.NOT_YET_RUN, UNAVAILABLE)
        return is_judged and check is not None and bool(check.test)

    @property
    def shown(self) -> str:
        """What was measured; of settings, which recipe has some of them."""
        settings = self.claim.settings
        return f"settings, as in the recipe {settings.recipe}" if settings else self.measured

    @property
    def by(self) -> str:
        """What alone a verdict rests on, where that is less than the claim says; or empty."""
        check = self.claim.check
        return f"by {check.by} alone" if self.is_tested and check is not None and check.by else ""


def judge(results: Results) -> list[Judged]:
    """Every claim of the ledger, judged by the results at hand.

    A claim whose verdict stands in the ledger while its results are not at hand is not available.
    """
    judged = []
    for claim in ledger.read(FILE):
        finding = ledger.evaluate(_local(claim), results.root / _profile(claim))
        if finding is not None:
            judged.append(Judged(claim, finding.verdict, finding.measured))
        elif claim.check is None or claim.verdict == ledger.NOT_YET_RUN:
            judged.append(Judged(claim, ledger.NOT_YET_RUN, ""))
        else:
            file = f"{results.root.resolve().name}/{_profile(claim)}/{claim.check.source.file}"
            judged.append(Judged(claim, UNAVAILABLE, f"{file} is missing"))
    return judged


def _profile(claim: ledger.Claim) -> str:
    """The folder in which the claim was measured: that of the file which the ledger names."""
    found = re.search(r"\((\w[\w-]*)/[^()]*\)$", claim.measured)
    outside = claim.check is not None and claim.check.source.file.startswith("../")
    return found[1] if found and not outside else "short"


def _local(claim: ledger.Claim) -> ledger.Claim:
    if claim.check is None:
        return claim
    source = claim.check.source
    moved = dataclasses.replace(source, file=source.file.replace(*_MOVED))
    return dataclasses.replace(claim, check=dataclasses.replace(claim.check, source=moved))


def table(results: Results) -> pd.DataFrame:
    """The whole ledger."""
    return pd.DataFrame(
        {
            "source": _citation(one.claim),
            "where": one.claim.where,
            "says": one.claim.says.replace("+-", " ± "),
            "sure": one.claim.sureness,
            "runs on": f"{one.claim.runs_on}: {one.claim.because}",
            "verdict": f"{one.verdict}, {one.by}" if one.by else one.verdict,
            "measured": one.shown,
        }
        for one in judge(results)
    )


def by_paper(results: Results) -> pd.DataFrame:
    """How many claims of each paper came out how; papers of which none was run are one row."""
    counted: dict[str, dict[str, int]] = {}
    for one in judge(results):
        row = counted.setdefault(_citation(one.claim), {})
        row[one.verdict] = row.get(one.verdict, 0) + 1
    run = {key: row for key, row in counted.items() if set(row) - {ledger.NOT_YET_RUN}}
    others = [row for key, row in counted.items() if key not in run]
    columns = list(ledger.VERDICTS)
    if any(UNAVAILABLE in row for row in run.values()):
        columns.append(UNAVAILABLE)
    rows = [{"source": key, **_counted(row, columns)} for key, row in run.items()]
    if others:
        rest = {ledger.NOT_YET_RUN: sum(sum(row.values()) for row in others)}
        rows.append({"source": f"{len(others)} more", **_counted(rest, columns)})
    total = {c: sum(row.get(c, 0) for row in counted.values()) for c in columns}
    return pd.DataFrame([*rows, {"source": "all", **_counted(total, columns)}])


def _counted(row: Mapping[str, int], columns: Sequence[str]) -> dict[str, str]:
    return {column: str(row[column]) if row.get(column) else "–" for column in columns}


def _citation(claim: ledger.Claim) -> str:
    """First author and year."""
    author = re.split(r",| and | et al", claim.paper)[0]
    years = re.findall(r"\b(?:19|20)\d\d\b", claim.paper)
    short = "Cross Validated" if author.startswith("Answer") else author
    return f"{short} {years[-1]}" if years else short


def counts(results: Results) -> str:
    """How many claims came out how."""
    judged = judge(results)
    papers = len({one.claim.paper for one in judged})
    each = [
        f"{sum(one.verdict == verdict for one in judged)} are {verdict}"
        for verdict in (*ledger.VERDICTS, UNAVAILABLE)
        if any(one.verdict == verdict for one in judged)
    ]
    tested = sum(one.is_tested for one in judged)
    return (
        f"Of {len(judged)} claims of {papers} papers, {listing(each)}. {tested} verdicts are those "
        f"of tests, each at {plain(claim_checks.LEVEL)} and not corrected for their number."
    )


def contradicted(results: Results) -> str:
    """The claims that the results at hand contradict."""
    against = [one for one in judge(results) if one.verdict == claim_checks.CONTRADICTED]
    if not against:
        return "No claim is contradicted."
    said = []
    for one in against:
        where = "; ".join(filter(None, (one.by, one.claim.setting.split(";")[0])))
        said.append(f"“{markup(one.claim.says.rstrip('.'))}” ({markup(where)})")
    return f"Contradicted: {'; '.join(said)}."
