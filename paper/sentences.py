"""Every sentence of the paper that holds a number or a finding, each from named result files.

They say what the files say, whichever way it comes out. Their markup is Typst's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from paper import claims, diagnostics, mechanisms
from paper.plots import METRICS, metrics
from paper.sources import (
    CONTROLS,
    FACES,
    LONG,
    POSTERIORS,
    PROSE,
    QUICK,
    QUICK_FACES,
    SHORT,
    SYSTEMS,
    TURNED,
    Results,
    name,
)
from paper.words import count, decimal, listing, p_value, plain, printed_p, signed
from reproduce.metrics.registry import DECODER_SIDE

_CONTROLS = PROSE | {
    f"beta_vae/diagonal{TURNED}": "the diagonal β-VAE against _x_ + _y_ and _x_ − _y_",
}
_DATA = {
    SHORT: "dSprites",
    FACES: "the synthetic faces",
    LONG: "dSprites, trained for longer",
    QUICK: "dSprites, by models that show every factor",
    QUICK_FACES: "the synthetic faces, by models that show more of them",
}


def test(results: Results, profile: str, arm: str, metric: str) -> str:
    """One arm's test against both nulls, and what follows."""
    row = results.verdict(profile, arm, metric)
    seeds = int(row["num_seeds"])
    text = (
        f"{METRICS[metric][0].upper()}{METRICS[metric][1:]} is "
        f"{decimal(row['haar_observed'])} against {decimal(row['haar_null_mean'])} in random bases "
        f"of all latents ({printed_p(row['haar_p'])})"
    )
    if pd.notna(row.get("haar_active_p")):
        text += (
            f", and {decimal(row['haar_active_observed'])} against "
            f"{decimal(row['haar_active_null_mean'])} in random bases of the active ones "
            f"({printed_p(row['haar_active_p'])})"
        )
    if row["special"]:
        alone = int(row["special_seeds"])
        return (
            f"{text}: the axes are distinguishable from random ones. Taken alone, {count(alone)} "
            f"of the {count(seeds)} seeds would be."
        )
    needed = [row["haar_detectable"], row.get("haar_active_detectable")]
    shown = dict.fromkeys(decimal(v) for v in needed if v is not None and pd.notna(v))
    return f"{text}: not distinguishable from random axes. It would have taken {listing([*shown])}."


def decoder_side(results: Results, profile: str) -> str:
    """Every system's test by latents of its prior, where there is one."""
    metric = DECODER_SIDE + "mig"
    if metric not in metrics(results, profile):
        return (
            "These results have no decoder side: InfoGAN's and Glow's primary metrics are those of "
            "the protocol's first version, MIG on the encoder side and traversal purity."
        )
    return " ".join(
        f"_{name(arm)}, decoder side._ {test(results, profile, arm, metric)}" for arm in SYSTEMS
    )


def contrast(results: Results, profile: str, metric: str) -> str:
    """The diagonal posterior against the full-covariance one, by a permutation over seeds."""
    row = results.contrast(profile, metric)
    what = METRICS[metric]
    text = (
        f"By {what}, the mean effect is _z_~=~{signed(row['effect'])} over "
        f"{count(int(row['num_seeds']))} diagonal seeds and "
        f"{signed(row['control_effect'])} over {count(int(row['num_control_seeds']))} "
        f"full-covariance ones; the one-sided permutation test over seeds gives "
        f"{printed_p(row['p_value'])}, where the smallest possible is "
        f"{decimal_p(row['smallest_p'])}"
    )
    return f"{text}."


def decimal_p(value: float) -> str:
    """A p-value without its relation."""
    return p_value(value).removeprefix("= ")


def holm(results: Results, profile: str) -> str:
    """The primary hypotheses after Holm's correction."""
    kept: list[tuple[str, float]] = []
    lost: list[tuple[str, float]] = []
    for arm in SYSTEMS:
        row = results.primary(profile, arm)
        (kept if row["holm_p"] <= 0.05 else lost).append((PROSE[arm], row["holm_p"]))
    row = results.contrast(profile, "mig")
    (kept if row["holm_p"] <= 0.05 else lost).append(("the contrast", row["holm_p"]))
    parts = []
    for group, verb in ((kept, "at or below .05"), (lost, "above .05")):
        if group:
            parts.append(f"{verb}: {listing([f'{n} ({printed_p(p)})' for n, p in group])}")
    return f"After Holm's correction of the five primary hypotheses, {'; '.join(parts)}."


def _outcomes(results: Results, profile: str) -> dict[str, list[str]]:
    """The systems by what their primary test says.

    `special` or `same`; `uncorrected` would be special alone, and is not after Holm's correction;
    of an `inconclusive` one the model is not good enough for its axes to be judged.
    """
    found: dict[str, list[str]] = {"special": [], "uncorrected": [], "same": [], "inconclusive": []}
    for arm in SYSTEMS:
        row = results.primary(profile, arm)
        kept = pd.isna(row["holm_p"]) or row["holm_p"] <= 0.05
        outcome = "same" if not row["special"] else "special" if kept else "uncorrected"
        if row.get("gate") == "failed":
            outcome = "inconclusive"
        found[outcome].append(PROSE[arm])
    return found


def answer(results: Results, profile: str) -> str:
    """Which systems' axes are distinguishable from random ones by their primary metric, and not."""
    found = _outcomes(results, profile)
    if len(found["same"]) == len(SYSTEMS):
        return f"On {_DATA[profile]}, no system's axes are distinguishable from random ones."
    if len(found["special"]) == len(SYSTEMS):
        return f"On {_DATA[profile]}, all systems' axes are distinguishable from random ones."
    parts: list[str] = []
    for outcome, verb in (
        ("special", "are distinguishable from random ones"),
        ("uncorrected", "are distinguishable from random ones only before Holm's correction"),
        ("same", "are not distinguishable from random ones"),
        ("inconclusive", "are not judged, since its images do not show the factors"),
    ):
        if found[outcome]:
            who = "those of" if parts else "the axes of"
            parts.append(f"{who} {listing(found[outcome])} {verb}")
    return f"On {_DATA[profile]}, {'; '.join(parts)}."


def mechanism(results: Results, profile: str) -> str:
    """Whether the contrast by MIG shows that the posterior makes the difference."""
    row = results.contrast(profile, "mig")
    seeds = f"{count(int(row['num_seeds']))} seeds against {count(int(row['num_control_seeds']))}"
    shows = "shows" if row["p_value"] <= 0.05 else "does not establish"
    return (
        f"On {_DATA[profile]}, the contrast between the two posteriors, {seeds}, {shows} that the "
        f"diagonal posterior is what aligns the axes ({printed_p(row['p_value'])})."
    )


def conclusion(results: Results, profile: str) -> str:
    """What becomes of the answer on Cross Validated, by the primary metrics."""
    found = _outcomes(results, profile)
    start = "So the answer of 2019"
    if len(found["special"]) == len(SYSTEMS):
        return (
            f"{start} fails of every system tested here: the learned axes agree with the factors "
            "better than a random linear transform of them does."
        )
    if not found["special"]:
        return (
            f"{start} stands, up to the effects that this design could see: no learned axes were "
            "distinguishable from a random linear transform of them."
        )
    return (
        f"{start} is neither right nor wrong of generative models as such. It fails where a "
        "learned basis agrees with the factors as random ones do not, and it stands, up to the "
        "effects that this design could see, where no axes were distinguishable."
    )


def evidence(results: Results, profile: str) -> str:
    """How much the seeds can show at all."""
    row = results.contrast(profile, "mig")
    seeds, smallest = int(row["num_seeds"]), decimal_p(row["smallest_p"])
    if row["smallest_p"] > 0.01:
        return (
            f"{count(seeds).capitalize()} seeds an arm are a demonstration: no contrast of theirs "
            f"can have _p_ below {smallest}."
        )
    return f"{count(seeds).capitalize()} seeds an arm allow a contrast's _p_ of {smallest}."


def dose(results: Results, profile: str) -> str:
    """MIG of the diagonal VAE along the geodesic, mean over seeds."""
    means: dict[float, list[float]] = {}
    for run in results.runs(profile, POSTERIORS[0]):
        rows = run.test("mig")
        for _, row in rows[rows["family"] == "geodesic"].iterrows():
            means.setdefault(float(row["t"]), []).append(float(row["null_mean"]))
    steps = [f"{decimal(float(np.mean(v)))} at _t_~=~{plain(t)}" for t, v in sorted(means.items())]
    return f"With the diagonal posterior, mean MIG is {listing(steps)}."


def ceiling(results: Results, profile: str) -> str:
    """Where each system's learned basis stands between random bases and labels' best rotation."""
    parts = []
    for arm in SYSTEMS:
        shares = []
        for run in results.runs(profile, arm):
            rows = run.test("mig")
            rows = rows[rows["family"] == "supervised"]
            if not rows.empty:
                shares.append(float(rows["rho"].iloc[0]))
        if shares:
            parts.append(f"{PROSE[arm]} {', '.join(decimal(s, 2) for s in shares)}")
    return (
        "On the way from the mean random basis (0) to the best rotation that labels find (1), the "
        f"learned bases stand, seed by seed, at: {'; '.join(parts)}."
    )


def leak(results: Results, profile: str) -> str:
    """What the purest learned and random axes of the diagonal VAE's first seed change."""
    run = results.runs(profile, POSTERIORS[0])[0]
    parts = []
    for file, what in (("leakage.csv", "learned"), ("random_leakage.csv", "random")):
        table = run.table(file, ["axis", "purity", "dead"])
        live = table[~table["dead"].astype(bool)]
        if live.empty:
            parts.append(f"no {what} axis is live")
            continue
        row = live.sort_values("purity", ascending=False, kind="stable").iloc[0]
        known = ("axis", "step", "energy", "dead", "purity")
        shares = row.drop([c for c in known if c in row.index]).astype(float)
        shares = shares.sort_values(ascending=False, kind="stable").head(3)
        largest = [f"{100 * v:.0f}% on {str(k).replace('_', ' ')}" for k, v in shares.items()]
        parts.append(f"the purest {what} axis has {listing(largest)}")
    return f"In the diagonal VAE of seed {run.seed}, {'; '.join(parts)}."


def controls(results: Results) -> str:
    """In which controls the axes are distinguishable from random ones by MIG, and in which not."""
    table = results.table(f"{CONTROLS}/verdict.csv", ["model", "metric", "special"])
    table = table[table["metric"] == "mig"]
    groups = []
    for special, verb in ((True, "are distinguishable"), (False, "are not distinguishable")):
        models = table.loc[table["special"].astype(bool) == special, "model"]
        if len(models):
            named = listing([_CONTROLS.get(str(model), name(str(model))) for model in models])
            groups.append(f"{verb} from random ones in {named}")
    return f"By MIG, the axes {'; they '.join(groups)}."


def _sentences() -> dict[str, Callable[[Results], str]]:
    found: dict[str, Callable[[Results], str]] = {
        "calibration": diagnostics.calibration,
        "controls": controls,
        "power": diagnostics.power,
        "ledger": claims.counts,
        "contradicted": claims.contradicted,
    }
    for file in mechanisms.FILES:
        found[f"mechanisms/{file}"] = partial(mechanisms.found, file=file)
    profiles: Sequence[str] = tuple(_DATA)
    general: dict[str, Any] = {
        "answer": answer,
        "holm": holm,
        "mechanism": mechanism,
        "conclusion": conclusion,
        "decoder": decoder_side,
        "evidence": evidence,
        "dose": dose,
        "ceiling": ceiling,
        "leak": leak,
        "drift": diagnostics.drift,
        "floors": diagnostics.floors,
        "reached": diagnostics.reached,
        "scale": diagnostics.scale,
    }
    for profile in profiles:
        for key, function in general.items():
            found[f"{profile}/{key}"] = partial(function, profile=profile)
        for metric in METRICS:
            found[f"{profile}/contrast/{metric}"] = partial(
                contrast, profile=profile, metric=metric
            )
            for arm in SYSTEMS:
                found[f"{profile}/{arm}/{metric}"] = partial(
                    test, profile=profile, arm=arm, metric=metric
                )
    return found


SENTENCES = _sentences()
