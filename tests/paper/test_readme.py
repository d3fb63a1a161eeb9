"""README and docs/ as paper.readme writes them, and its sentences on made-up results."""

from __future__ import annotations

import re
import shutil

import pandas as pd
import pytest
from programs import ROOT

from data.files import InputError
from paper import findings, kinds, page_parts, published_summary, regions
from paper.sources import POSTERIORS, SYSTEMS, Results
from reproduce.metrics.registry import METRICS

PROFILE = "made-up"


def test_the_pages_are_as_the_program_writes_them():
    written = page_parts.pages(Results(ROOT / "paper" / "results"), ROOT)
    changed = [file.name for file, text in written.items() if file.read_text("utf-8") != text]
    assert changed == [], "run `make readme`"


def test_what_a_missing_file_would_say_is_said_to_be_missing(tmp_path):
    (tmp_path / "README.md").write_text("<!-- begin: answers -->\n<!-- end -->\n")
    ((text),) = page_parts.pages(Results(tmp_path), tmp_path).values()
    assert "*not available: " in text
    assert "verdict.csv is missing*" in text


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!-- begin: one -->\n", "begins and does not end"),
        ("<!-- begin: one -->\n<!-- begin: two -->\n<!-- end -->\n", "begins and does not end"),
        ("<!-- begin: three -->\n<!-- end -->\n", "no part is called 'three'"),
    ],
)
def test_wrong_marks_are_told(page, message):
    parts = {"one": lambda: "1", "two": lambda: "2"}
    with pytest.raises(InputError, match=message):
        regions.filled(page, parts)


def test_only_what_is_between_marks_changes():
    page = "before\n<!-- begin: one -->\nold\n\nlines\n<!-- end -->\nafter\n"
    once = regions.filled(page, {"one": lambda: "new"})
    assert once == "before\n<!-- begin: one -->\nnew\n<!-- end -->\nafter\n"
    assert regions.filled(once, {"one": lambda: "new"}) == once
    assert regions.names(page) == ["one"]


def row(arm: str, **changes: object) -> dict[str, object]:
    """A row of verdict.csv, version 2, of an arm that nothing tells from random ones."""
    metric = "mig" if arm in POSTERIORS else "decoder_mig"
    return {
        "model": arm,
        "data_set": "dsprites",
        "metric": metric,
        "side": "decoder" if metric.startswith("decoder_") else "encoder",
        "num_seeds": 3,
        "haar_observed": 0.03,
        "haar_null_mean": 0.02,
        "haar_null_sd": 0.01,
        "haar_p": 0.3,
        "haar_active_p": 0.2,
        "haar_difference": 0.01,
        "haar_sd": 0.006,  # with three seeds a half width of .0149, and of .0101 at 90%
        "haar_low": -0.005,
        "haar_high": 0.025,
        "special": False,
        "gate": "passed",
        "gate_reasons": "",
        "holm_p": 0.6,
        "verdict": "inconclusive",
        **changes,
    }


def contrast(**changes: object) -> dict[str, object]:
    """A row of contrast.csv, version 2."""
    return {
        "model": POSTERIORS[0],
        "control": POSTERIORS[1],
        "data_set": "dsprites",
        "metric": "mig",
        "num_seeds": 3,
        "num_control_seeds": 3,
        "effect": 0.04,
        "control_effect": 0.01,
        "difference": 0.03,
        "low": 0.01,
        "high": 0.05,
        "p_value": 0.01,
        "smallest_p": 0.01,
        "fits_match": True,
        "holm_p": 0.04,
        **changes,
    }


@pytest.fixture
def write(tmp_path):
    """Writes a profile's verdicts, and returns the results."""
    folder = tmp_path / PROFILE
    shutil.copytree(ROOT / "paper" / "results" / "quick", folder)

    def write(rows: list[dict], contrasts: list[dict], lacking: tuple[str, ...] = ()) -> Results:
        for file, content in (("verdict.csv", rows), ("contrast.csv", contrasts)):
            frame = pd.DataFrame(content)
            kept = frame.drop(columns=[c for c in lacking if c in frame])
            kept.to_csv(folder / file, index=False)
        return Results(tmp_path)

    return write


def told(results: Results) -> str:
    return " ".join(findings.verdicts(results, PROFILE, "the data").split())


def test_each_verdict_is_told_by_what_the_files_hold(write):
    outcomes = (
        {"special": True, "holm_p": 0.001, "verdict": "aligned"},
        {"verdict": "equivalent to random"},
        {"special": True, "haar_p": 0.03, "holm_p": 0.09},
        {"gate": "failed", "gate_reasons": "nothing is seen", "special": True, "holm_p": 0.001},
    )
    rows = [row(arm, **changes) for arm, changes in zip(SYSTEMS, outcomes, strict=True)]
    results = write(rows, [contrast()])
    text = told(results)
    assert "On the data, the axes of the diagonal β-VAE (p = .001) match the factors better" in text
    assert "The axes of the full-covariance β-VAE (p = .6) match the factors as random ones" in text
    assert "within .02 MIG (by the 90% interval of the difference, .000 to .020). The" in text
    assert "The axes of InfoGAN's codes (p = .09) are inconclusive: better than random ones" in text
    assert (
        "Glow's channels are inconclusive, since the model did not pass the gate (nothing" in text
    )
    assert "The contrast shows that" in text
    assert "a difference of .030 MIG, 95% interval .010 to .050" in text
    table = findings.answers(results, {PROFILE: "data"}).splitlines()[2:]
    ends = ["aligned", "equivalent to random", "inconclusive", "inconclusive"]
    assert [line.split(" | ")[-1].removesuffix(" |") for line in table] == ends
    assert "| .010 (−.005 to .025) | .001 |" in table[0]


def test_equivalent_axes_that_lie_below_random_ones_are_told(write):
    ends = {"haar_difference": -0.01, "haar_low": -0.0249, "haar_high": 0.0049}
    rows = [row(arm, verdict="equivalent to random", **ends) for arm in SYSTEMS]
    assert "slightly worse" not in told(write(rows, [contrast()]))
    rows[1] |= {"haar_sd": 0.003, "haar_low": -0.0176, "haar_high": -0.0024}
    text = told(write(rows, [contrast()]))
    assert text.count("slightly worse") == 1
    assert (
        "The axes of the full-covariance β-VAE (p = .6) match the factors as random ones do, "
        "within .02 MIG (by the 90% interval of the difference, −.015 to −.005), though slightly "
        "worse (95% interval −.018 to −.002)."
    ) in text


def test_the_factor_that_makes_most_of_a_difference_is_named(write, tmp_path):
    """Of the mean over seeds and factors (gap less random): .3 / 2 by colour, .02 / 2 by size."""
    rows = [row(arm) for arm in SYSTEMS]
    rows[0] |= {"verdict": "aligned", "special": True, "holm_p": 0.01}
    results = write(rows, [contrast()])
    gaps = {30: (0.5, 0.12), 31: (0.4, 0.12), 32: (0.3, 0.12)}
    for seed, gap in gaps.items():
        table = {"factor": ["hair_colour", "size"], "gap": gap, "null_mean": 0.1}
        own = pd.DataFrame(table).assign(family="haar")
        other = own.assign(family="haar_active", gap=9.0)
        run = tmp_path / PROFILE / "runs" / f"beta_vae-diagonal-seed{seed}"
        pd.concat([own, other]).to_csv(run / "factor_test.csv", index=False)
    assert (
        "Of the difference of the diagonal β-VAE, .160 MIG, .150 is one factor's alone: "
        "hair colour."
    ) in told(results)
    (tmp_path / PROFILE / "runs" / "beta_vae-diagonal-seed31" / "factor_test.csv").unlink()
    assert "one factor's alone" not in told(results)
    rows[0] |= {"verdict": "inconclusive", "special": False}
    assert "one factor's alone" not in told(write(rows, [contrast()]))


def test_a_contrast_that_is_not_shown_or_of_fits_is_told(write):
    rows = [row(arm) for arm in SYSTEMS]
    text = told(write(rows, [contrast(holm_p=0.06, fits_match=False)]))
    assert "The contrast does not show that" in text
    assert "it may come from how well each fits" in text
    assert "The contrast" not in told(write(rows, [contrast(metric="other")]))


def test_tests_that_disagree_with_the_primary_ones_are_named(write):
    first, *rest = SYSTEMS
    rows = [row(first, special=True, holm_p=0.01, verdict="aligned"), *map(row, rest)]
    more = [
        row(first, metric="traversal_purity", holm_p=None),
        row(rest[0], metric="traversal_purity_linear", special=True, holm_p=None),
    ]
    text = told(write([*rows, *more], [contrast()]))
    yes = "do call axes of these seeds better than random: those of the full-covariance β-VAE"
    assert f"{yes} (traversal purity in the limit of small steps)." in text
    assert "not single out the axes of the diagonal β-VAE (traversal purity)." in text


def test_version_1_has_no_intervals_and_yet_a_verdict(write):
    rows = [row(arm) for arm in SYSTEMS]
    rows[0] |= {"special": True, "holm_p": 0.01}
    rows[1] |= {"special": True, "holm_p": 0.07}
    new = ("verdict", "haar_low", "haar_high", "difference", "low", "high", "fits_match")
    results = write(rows, [contrast()], lacking=new)
    table = findings.answers(results, {PROFILE: "data"}).splitlines()[2:]
    assert [line.split(" | ")[-1].removesuffix(" |") for line in table] == [
        "aligned",
        *["inconclusive"] * 3,
    ]
    assert "| .010 | .01 |" in table[0]
    assert "interval" not in told(results)


def test_beta_is_told_with_its_unit():
    # 4 at 32 x 32 pixels weighs as much against a pixel as 16 at four times as many.
    words = findings.per_pixel({"beta": 4.0}, (32, 32, 1))
    assert findings.beta_in_words({"beta": 4.0}, (32, 32, 1)) == "beta 4 per image of 32 × 32"
    assert words == " (per pixel as 16 per image of 64 × 64)"
    assert findings.per_pixel({"beta": 4.0}, (64, 64, 3)) == ""


def test_published_models_are_counted_by_verdict(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    shared = {"loss": "VAE", "instrument": "encoder", "num_bases": 99}
    shared |= {"word": "", "gap": 0.1, "null_mean": 0.1}
    judged = {"skin": ("stands out", "stands out"), "light": ("not distinguishable",) * 2}
    judged |= {"hair_colour": ("stands out", "not distinguishable"), "smile": ("left out",) * 2}
    rows = [
        {"model": model, "factor": factor, "verdict": verdicts[i], **shared}
        for i, model in enumerate(("one", "two"))
        for factor, verdicts in judged.items()
    ]
    pd.DataFrame(rows).to_csv(folder / "attributes.csv", index=False)
    tests = [
        {"model": m, "metric": "mig", "observed": o, "haar_null_mean": 0.1, "haar_p_value": p}
        for m, o, p in (("one", 0.3, 0.01), ("two", 0.2, 0.2))
    ]
    frame = pd.DataFrame(tests).assign(haar_active_p_value=0.03)
    frame.to_csv(folder / "metrics.csv", index=False)
    text = " ".join(published_summary.summary(Results(tmp_path)).split())
    assert text.startswith("Two such models")
    assert "The axes of one of them have a higher MIG than random ones (.300 against .100" in text
    assert "p = .03 at most" in text
    assert "What stands out: skin in two and hair colour in one. In none: light." in text
    assert "as far as rendered faces tell: smile." in text
    assert "Of that MIG" not in text  # all factors' gaps are alike
    assert "| `two` | VAE | .200 | .100 | .2 | skin |" in published_summary.by_model(
        Results(tmp_path)
    )


def test_every_metric_has_a_definition_and_a_row():
    rows = [line.split(" | ") for line in kinds.metrics().splitlines()[2:]]
    assert [r for r in rows if not r[1].strip()] == []
    assert {re.sub(r"[|` ]", "", r[0]) for r in rows} == set(METRICS)
