"""The parts of README.md, docs/ and paper/results/README.md that a program writes, by region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from paper import (
    beta,
    command_reference,
    findings,
    kinds,
    mechanisms,
    published_summary,
    tables,
)
from paper.regions import filled, paragraph, table, table_of
from paper.sources import FACES, LONG, QUICK, QUICK_FACES, SHORT, MissingError, Results
from paper.words import decimal, plain, thousands
from reproduce.mechanisms.results import as_published

_DATA = {
    QUICK: "dSprites",
    QUICK_FACES: "the rendered faces",
    SHORT: "dSprites",
    FACES: "the rendered faces",
}
_ANSWER = {QUICK: "dSprites", QUICK_FACES: "faces"}


def _of_results() -> Mapping[str, Callable[[Results], str]]:
    """The parts that say what result files say."""
    found: dict[str, Callable[[Results], str]] = {
        "answers": partial(findings.answers, data=_ANSWER),
        "published": published_summary.summary,
        "published-models": published_summary.by_model,
        "earlier": earlier,
        "long-tests": partial(findings.tests, profile=LONG),
        "long-contrast": lambda results: paragraph(findings.contrast(results, LONG)),
        "mechanisms": experiments,
        "face-reader": face_reader,
        "study-coverage": study_coverage,
        "study-design": study_design,
        "beta-table": lambda results: table_of(beta.table(results)),
        "beta-found": lambda results: paragraph(beta.found(results)),
        "error-rates": lambda results: table_of(tables.error_rates(results)),
    }
    for profile, data in _DATA.items():
        found[f"{profile}-verdicts"] = partial(findings.verdicts, profile=profile, data=data)
        found[f"{profile}-tests"] = partial(findings.tests, profile=profile)
    return found


def pages(results: Results, root: Path) -> dict[Path, str]:
    """What README.md, each page of docs/ and that of the results should hold, by their files.

    A part whose result file is missing says so.

    Args:
        results: The result files.
        root: The repository's root.

    Raises:
        InputError: If a result file is damaged, or a page's marks are wrong.
    """

    def said(part: Callable[[Results], str]) -> str:
        try:
            return part(results)
        except MissingError as error:
            return f"*{error}*"

    parts: dict[str, Callable[[], str]] = {"commands": command_reference.page, **kinds.TABLES}
    parts |= {name: partial(said, part) for name, part in _of_results().items()}
    files = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    files += (root / "paper").glob("results/README.md")
    return {file: filled(file.read_text(encoding="utf-8"), parts) for file in files}


def earlier(results: Results) -> str:
    """What the first, short trainings on dSprites gave, and whether that is another answer."""
    arm = findings.POSTERIORS[0]
    row, later = results.primary(SHORT, arm), results.primary(QUICK, arm)
    says = findings.verdict(row)
    mig = f"MIG {decimal(row['haar_observed'])} against {decimal(row['haar_null_mean'])}"
    text = (
        "The first models were trained for less time and with a heavier penalty on what the "
        f"latents say of an image ({findings.training(results, SHORT)}). Their images show "
        "position and size alone. By the protocol's version 1 the diagonal VAE's axes were "
        f"{says} ({mig})."
    )
    if says == findings.verdict(later):
        return paragraph(text)
    return paragraph(
        text,
        "Those of the profile `quick` give another answer; they differ by *beta*, the weight of "
        f"the penalty, and by what they show. Over a range of beta: {beta.found(results)}",
    )


def experiments(results: Results) -> str:
    """What the literature's experiments gave, statement by statement."""
    columns = ["arm", "expected", "holds", "p_value", "sentence"]
    rows = []
    for file in mechanisms.FILES:
        frame = results.table(f"mechanisms/{file}.csv", columns)
        for row in frame[frame["arm"] == "summary"].to_dict("records"):
            holds = as_published(row["holds"], row["p_value"])
            rows.append([file.replace("_", " "), str(row["expected"]), holds, str(row["sentence"])])
    return table(["experiment", "published", "as published?", "here"], rows)


def face_reader(results: Results) -> str:
    """How exactly the reader of faces reads each attribute of rendered ones."""
    columns = ["attribute", "truth", "unit", "correlation", "rmse", "sd_of_truth", "images"]
    frame = results.table("face_reader.csv", columns)
    rows = [
        [
            str(row["attribute"]).replace("_", " "),
            str(row["truth"]).replace("_", " "),
            decimal(row["correlation"], 2),
            f"{row['rmse']:.2g} {row['unit']}",
            f"{row['sd_of_truth']:.2g}",
        ]
        for row in frame.to_dict("records")
    ]
    images = thousands(frame["images"].max())
    return table(["what is read", f"of {images} faces", "correlation", "error", "SD"], rows)


def study_design(results: Results) -> str:
    """What the simulated studies were."""
    columns = ["studies", "raters", "trials", "items"]
    row = results.table("study_coverage.csv", columns).iloc[0]
    return paragraph(
        f"{thousands(row['studies'])} simulated studies for each planted preference, "
        f"{thousands(row['raters'])} raters of {thousands(row['trials'])} trials over "
        f"{thousands(row['items'])} pairs, with a pull of the left side."
    )


def study_coverage(results: Results) -> str:
    """How often the study's analysis errs on simulated raters."""
    columns = ["preference", "studies", "coverage", "mixed_model_rejects", "equivalence_declared"]
    frame = results.table("study_coverage.csv", [*columns, "binomial_rejects"])
    rows = [
        [
            plain(row["preference"]),
            thousands(row["studies"]),
            decimal(row["coverage"]),
            decimal(row["mixed_model_rejects"]),
            decimal(row["equivalence_declared"]),
            decimal(row["binomial_rejects"]),
        ]
        for row in frame.to_dict("records")
    ]
    measured = ["95% intervals that cover it", "a preference is found", "equivalence is declared"]
    binomial = "a binomial test finds a preference"
    return table(["planted preference", "simulated studies", *measured, binomial], rows)
