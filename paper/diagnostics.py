"""Sentences about how trainings ended, and how the test itself does."""

from __future__ import annotations

import numpy as np

from models.registry import MODELS
from paper.sources import POSTERIORS, PROSE, SYSTEMS, Results
from paper.words import decimal, listing, p_value, plain, thousands
from reproduce.reporting.result_tables import at_end

_LOCATELLO = (300_000, 64)  # steps, and images in each


def drift(results: Results, profile: str) -> str:
    """The control: how far signed permutations move a score."""
    largest = 0.0
    for arm in SYSTEMS:
        for run in results.runs(profile, arm):
            rows = run.test("mig")
            rows = rows[rows["family"] == "signed_permutation"]
            for column in ("null_mean", "null_max"):
                if column in rows:
                    largest = max(largest, float((rows[column] - rows["observed"]).abs().max()))
    shown = decimal(largest) if largest >= 0.0005 else "less than .0005"
    return f"Signed permutations, which may change nothing, moved MIG by {shown} at most."


def floors(results: Results, profile: str) -> str:
    """How many random bases each measure is computed in, and the smallest p that they allow."""
    numbers = []
    for metric in ("mig", "traversal_purity"):
        test = results.runs(profile, SYSTEMS[0])[0].test(metric)
        numbers.append(int(test.loc[test["family"] == "haar", "num_bases"].iloc[0]))
    least = [p_value(1 / (n + 1)).removeprefix("= ") for n in numbers]
    return (
        f"MIG is computed in {thousands(numbers[0])} random bases of each family and seed, and "
        f"traversal purity, for which images are decoded, in {thousands(numbers[1])}; their _p_ "
        f"cannot be below {least[0]} and {least[1]}."
    )


def reached(results: Results, profile: str) -> str:
    """What the trainings ended with, by their own logged terms."""
    parts = []
    for arm in SYSTEMS:
        model = MODELS[arm.partition("/")[0]]
        terms = {term.column: term.prose for term in model.terms if term.prose}
        logs = [run.table("training.csv", ["step", *terms]) for run in results.runs(profile, arm)]
        means = [
            text.format(_rough(float(np.mean([at_end(log, term) for log in logs]))))
            for term, text in terms.items()
        ]
        parts.append(f"{PROSE[arm]} reached {listing(means)}")
    return (
        f"In means over seeds and over the last tenth of each training's log, {'; '.join(parts)}."
    )


def _rough(value: float) -> str:
    return decimal(value, 2) if abs(value) < 1 else f"{value:.1f}"


def scale(results: Results, profile: str) -> str:
    """How long the VAEs were trained, beside the published ones of Locatello et al."""
    recipe = results.runs(profile, POSTERIORS[0])[0].settings()["recipe"]
    images = recipe["num_steps"] * recipe["batch_size"]
    steps, batch_size = _LOCATELLO
    share = 100 * images / (steps * batch_size)
    return (
        f"The VAEs saw {thousands(images)} images, {share:.2g}% of what those of Locatello et al. "
        f"@locatello2019 saw ({thousands(steps)} batches of {batch_size})."
    )


def error_rates(results: Results) -> str:
    """How often verdicts over seeds, and contrasts, are wrong where the truth is known."""
    table = results.table("error_rates.csv", ["truth", "outcome", "num_seeds", "share"])
    shares = table.set_index(["truth", "outcome"])["share"]
    null = "one more random basis"
    margin = [
        shares[truth, "equivalent to random"]
        for truth in table["truth"].unique()
        if truth.startswith("at the margin")
    ]
    published = table[
        table["truth"].eq("as published on dSprites") & table["outcome"].eq("contrast")
    ]
    power = ", ".join(
        f"{decimal(row['share'], 2)} with {row['num_seeds']}" for _, row in published.iterrows()
    )
    return (
        "Over simulated seeds, axes that are one more random basis are called aligned in at most "
        f"{decimal(shares[null, 'aligned'].max())} of studies, and told from a control of the same "
        f"kind in {decimal(shares[null, 'contrast'].max())}; an effect at the margin is called "
        f"equivalent to random in {decimal(max(found.max() for found in margin))} (@rates). The "
        f"contrast finds an effect of published size at .05 in shares of {power} seeds an arm."
    )


def calibration(results: Results) -> str:
    """How often p is at most .05 where the null is true."""
    table = results.table(
        "calibration.csv", ["null", "family", "metric", "repetitions", "num_bases", "share_0.05"]
    )
    parts = []
    for family, what in (
        ("haar", "against all latents' random bases"),
        ("haar_active", "against those of the active latents"),
        ("haar_active and haar", "against both, which is what a verdict asks for"),
    ):
        rows = table[table["family"] == family]
        if not rows.empty:
            worst = rows.sort_values("share_0.05", kind="stable").iloc[-1]
            metric = str(worst["metric"]).replace("_", " ")
            parts.append(f"{decimal(worst['share_0.05'])} {what} ({metric})")
    return (
        f"Where the null hypothesis is true by construction ({table['metric'].nunique()} metrics, "
        f"{table['repetitions'].min()} representations each), the largest share of _p_ at most .05 "
        f"over metrics is {listing(parts)}."
    )


def power(results: Results) -> str:
    """How far aligned latents may be turned and still be told apart in four of five cases."""
    table = results.table("power.csv", ["t", "family", "metric", "level", "power", "repetitions"])
    chosen = table[table["family"].eq("haar") & table["level"].eq(0.05)]
    parts = []
    for metric in ("mig", "dci_disentanglement", "sap", "modularity"):
        rows = chosen[chosen["metric"] == metric]
        enough = rows.loc[rows["power"] >= 0.8, "t"]
        if not rows.empty:
            reach = plain(enough.max()) if len(enough) else "none"
            parts.append(f"{metric.upper() if len(metric) == 3 else metric.split('_')[0]} {reach}")
    return f"The largest _t_ with a power of at least .8 at .05: {', '.join(parts)}."
