r"""Prints the ledger of published claims, checks it against result files, or fills it in from them.

Ends with 1 when a claim whose results are at hand is not what its recorded verdict says. A claim
that is recorded as not yet run says nothing that could be wrong.

Examples:
    python -m reproduce.claims
    python -m reproduce.claims --results=results/quick --write
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data.files import InputError
from reproduce import program

_LEDGER = flags.DEFINE_string("ledger", "paper/claims.toml", "The claims.")
_RESULTS = flags.DEFINE_string(
    "results", "results/quick", "A folder of result files, as reproduce.main_job writes it."
)
_WRITE = flags.DEFINE_bool("write", False, "Fill in what was measured, and the verdicts.")


def main() -> None:
    """Reads, evaluates, prints, and writes if asked to."""
    file, results = Path(_LEDGER.value), Path(_RESULTS.value)
    if results.exists() and not results.is_dir():
        raise InputError(f"{results} is no folder; give one of result files")
    from data.files import write_text
    from reproduce.reporting import ledger

    claims = ledger.read(file)
    findings = {}
    for claim in claims:
        finding = ledger.evaluate(claim, results)
        if finding is not None:
            findings[claim.id] = finding
    if _WRITE.value:
        write_text(file, ledger.fill_in(file.read_text(encoding="utf-8"), findings))
        claims = ledger.read(file)
    print(ledger.table(claims, findings).to_string(index=False, justify="left"))
    counts = [sum(claim.verdict == verdict for claim in claims) for verdict in ledger.VERDICTS]
    told = ", ".join(f"{n} {verdict}" for n, verdict in zip(counts, ledger.VERDICTS, strict=True))
    papers = len({claim.paper for claim in claims})
    print(f"\n{len(claims)} claims of {papers} papers: {told}.")
    new = [c.id for c in claims if c.verdict == ledger.NOT_YET_RUN and c.id in findings]
    if new:
        print(f"{len(new)} can be filled in from {results}: --write")
    wrong = [
        claim.id
        for claim in claims
        if claim.verdict != ledger.NOT_YET_RUN
        and claim.id in findings
        and findings[claim.id].verdict != claim.verdict
    ]
    if wrong:
        raise program.RunError(
            f"{results} contradicts the recorded verdict of {', '.join(wrong)}; see the table"
        )


if __name__ == "__main__":
    program.run(main)
