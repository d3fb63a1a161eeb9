"""Every sentence of the paper that holds a number or a finding, each from named result files.

They say what the files say, whichever way it comes out. Their markup is Typst's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from paper import beta, claims, diagnostics, effects, mechanisms, published
from paper.plots import METRICS
from paper.sources import (
    CONTROLS,
    FACES,
    LONG,
    POSTERIORS,
    PROSE,
    QUICK,
    QUICK_FACES,
    REPLACED,
    SHORT,
    SYSTEMS,
    TURNED,
    Results,
    name,
)
from paper.words import (
    count,
    decimal,
    interval,
    listing,
    p_value,
    plain,
    printed_p,
    sentence,
    signed,
)
from reproduce.reporting import verdict_words

_DATA = {
    SHORT: "dSprites, by short trainings",
    FACES: "the synthetic faces, by short trainings",
    LONG: "dSprites, trained for longer",
    REPLACED: "dSprites, in the run that was replaced",
    QUICK: "dSprites",
    QUICK_FACES: "the synthetic faces",
}


def test(results: Results, profile: str, arm: str, metric: str) -> str:
    """One arm's test against both nulls, and what follows."""
    row = results.verdict(profile, arm, metric)
    if "verdict" in row:
        return _tested(row, METRICS[metric])
    seeds = int(row["num_seeds"])  # judged by the protocol's first version
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


def _tested(row: dict[str, Any], what: str) -> str:
    """A verdict of the protocol's second version, with its effect."""
    text = (
        f"{what[0].upper()}{what[1:]} is {decimal(row['haar_observed'])} against "
        f"{decimal(row['haar_null_mean'])} in random bases of all latents, a difference of "
        f"{effect(row)} ({printed_p(row['haar_p'])}"
    )
    if pd.notna(row.get("haar_active_p")):
        text += f"; of the active ones {printed_p(row['haar_active_p'])}"
    text += f"; corrected {printed_p(row['holm_p'])})" if pd.notna(row["holm_p"]) else ")"
    says = _VERDICTS[outcome(row)]
    if outcome(row) == "equivalent":
        says += f" by the 90% interval, {interval(effects.narrow(row))}"
        says += ", though slightly below them" if effects.is_below(row) else ""
    if outcome(row) == "special" and not row["haar_low"] > 0:
        says += ", in these seeds" if row["num_seeds"] > 1 else ", in this seed"
    return f"{text}: {says}."


def effect(row: Mapping[str, Any]) -> str:
    """The raw difference from random bases of all latents, with its interval over seeds."""
    text = decimal(row["haar_difference"])
    if pd.isna(row["haar_low"]):
        return f"{text} in one seed"
    ends = decimal(row["haar_low"]), decimal(row["haar_high"])
    return f"{text} (95% interval over seeds {ends[0]} to {ends[1]})"


_VERDICTS = {
    "special": "aligned",
    "equivalent": "equivalent to random axes",
    "uncorrected": "inconclusive, since it is aligned only before the correction",
    "same": "inconclusive, not distinguishable from random axes",
    "inconclusive": "inconclusive, since the model does not pass the gate",
}


def outcome(row: Mapping[str, Any]) -> str:
    """What a row of verdict.csv comes to, a key of `_VERDICTS`."""
    if row.get("gate") == "failed":
        return "inconclusive"
    if row.get("verdict") == "equivalent to random":
        return "equivalent"
    if not row["special"]:
        return "same"
    return "special" if pd.isna(row["holm_p"]) or row["holm_p"] <= 0.05 else "uncorrected"


def contrast(results: Results, profile: str, metric: str) -> str:
    """The diagonal posterior against the full-covariance one, by a permutation over seeds."""
    row = results.contrast(profile, metric)
    what = METRICS[metric]
    if "paired" in row:
        return _contrasted(row, what)
    text = (
        f"By {what}, the mean effect is _z_~=~{signed(row['effect'])} over "
        f"{count(int(row['num_seeds']))} diagonal seeds and "
        f"{signed(row['control_effect'])} over {count(int(row['num_control_seeds']))} "
        f"full-covariance ones; the one-sided permutation test over seeds gives "
        f"{printed_p(row['p_value'])}, where the smallest possible is "
        f"{decimal_p(row['smallest_p'])}"
    )
    return f"{text}."


def _contrasted(row: dict[str, Any], what: str) -> str:
    """A contrast of the protocol's second version."""
    how = "sign flips of pairs" if row["paired"] else "permutations of seeds"
    text = (
        f"By {what}, the learned basis is {decimal(row['effect'])} above random ones with the "
        f"diagonal posterior and {decimal(row['control_effect'])} with the full one, a difference "
        f"of {decimal(row['difference'])} (95% interval {decimal(row['low'])} to "
        f"{decimal(row['high'])}; {count(int(row['num_seeds']))} seeds each; by {how}, "
        f"one-sided {printed_p(row['p_value'])}, of which the smallest possible is "
        f"{decimal_p(row['smallest_p'])}"
    )
    text += f"; corrected {printed_p(row['holm_p'])})." if pd.notna(row["holm_p"]) else ")."
    if pd.notna(row["fit"]) and row["fit"]:
        fit = sentence(str(row["fit"]))
        text += f" The arms' fits: {fit}."
        if not row["fits_match"]:
            text += " They do not match, so that the contrast may be one of fits."
    return text


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

    `special`, `equivalent` or `same`; `uncorrected` would be special alone, and is not after Holm's
    correction; of an `inconclusive` one the model is not good enough for its axes to be judged.
    """
    found: dict[str, list[str]] = {key: [] for key in _VERDICTS}
    for arm in SYSTEMS:
        row = results.primary(profile, arm)
        alone = " (one seed)" if row["num_seeds"] == 1 else ""
        found[outcome(row)].append(PROSE[arm] + alone)
    return found


def answer(results: Results, profile: str) -> str:
    """Which systems' axes are distinguishable from random ones by their primary metric, and not."""
    found = _outcomes(results, profile)
    if len(found["same"]) == len(SYSTEMS):
        return f"On {_DATA[profile]}, no system's axes are distinguishable from random ones."
    if len(found["special"]) == len(SYSTEMS):
        return f"On {_DATA[profile]}, all systems' axes are distinguishable from random ones."
    parts: list[str] = []
    for key, verb in (
        ("special", "are distinguishable from random ones"),
        ("uncorrected", "are distinguishable from random ones only before Holm's correction"),
        ("equivalent", "are equivalent to random ones (the 90% interval is within .02 MIG)"),
        ("same", "are not distinguishable from random ones"),
        ("inconclusive", "are not judged, since it does not pass the gate"),
    ):
        if found[key]:
            who = "those of" if parts else "the axes of"
            parts.append(f"{who} {listing(found[key])} {verb}")
    return " ".join([f"On {_DATA[profile]}, {'; '.join(parts)}.", *_below(results, profile)])


def _below(results: Results, profile: str) -> list[str]:
    """Which systems that are equivalent to random ones lie below them all the same."""
    rows = {arm: results.primary(profile, arm) for arm in SYSTEMS}
    return [
        f"Within that margin, those of {PROSE[arm]} lie slightly below random ones (95% interval "
        f"{interval((row['haar_low'], row['haar_high']))})."
        for arm, row in rows.items()
        if outcome(row) == "equivalent" and effects.is_below(row)
    ]


def mechanism(results: Results, profile: str) -> str:
    """Whether the contrast by MIG shows that the posterior makes the difference."""
    row = results.contrast(profile, "mig")
    seeds = f"{count(int(row['num_seeds']))} seeds against {count(int(row['num_control_seeds']))}"
    corrected = pd.notna(row["holm_p"])
    p = row["holm_p"] if corrected else row["p_value"]
    shows = "shows" if p <= 0.05 else "does not establish"
    return (
        f"On {_DATA[profile]}, the contrast between the two posteriors, {seeds}, {shows} that the "
        f"diagonal posterior is what aligns the axes ({printed_p(p)}"
        f"{' after correction' if corrected else ''}; before it so many seeds allow "
        f"{decimal_p(row['smallest_p'])} at best)."
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


def disagree(results: Results, profile: str) -> str:
    """By which metrics verdicts are others than by the primary one, arm by arm."""
    columns = ["model", "data_set", "metric", "side", "special", "haar_p", "gate", "alpha"]
    found = verdict_words.disagreements(results.table(f"{profile}/verdict.csv", columns))
    if not found:
        return "No metric disagrees with the primary one."
    return f"Metrics disagree. {sentence(' '.join(found))}"


def trainings(results: Results) -> str:
    """Whether other trainings change what is said of the diagonal posterior's axes."""
    arm, parts = POSTERIORS[0], []
    for profile in (SHORT, QUICK, FACES, QUICK_FACES):
        row = results.primary(profile, arm)
        parts.append((profile, outcome(row) == "special"))
    says = [f"{_DATA[profile]}: {'yes' if is_aligned else 'no'}" for profile, is_aligned in parts]
    return (
        "Are the diagonal posterior's axes shown to be aligned, after correction? "
        f"{'; '.join(says)}. Where the answer is no, alignment is not excluded; no test compares "
        "the trainings, of which the short ones had another β, length and network."
    )


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
    columns = ["model", "metric", "special", "haar_observed", "haar_null_mean"]
    table = results.table(f"{CONTROLS}/verdict.csv", columns)
    table = table[table["metric"] == "mig"].set_index("model")
    turned = table.index.str.endswith(TURNED)
    groups = []
    for special, verb in ((True, "are distinguishable"), (False, "are not distinguishable")):
        models = table.index[table["special"].astype(bool).eq(special) & ~turned]
        if len(models):
            named = listing([PROSE.get(str(model), name(str(model))) for model in models])
            groups.append(f"{verb} from random ones in {named}")
    says = [f"By MIG, the axes {'; they '.join(groups)}."] if groups else []
    says += [_in_turned_frame(table, str(model)) for model in table.index[turned]]
    return " ".join(says)


def _in_turned_frame(table: pd.DataFrame, model: str) -> str:
    """What is left of an arm's MIG where two of its factors are replaced by sum and difference."""
    rows = {str(key): row for key, row in table.to_dict("index").items()}
    row, key = rows[model], model.removesuffix(TURNED)
    who = PROSE.get(key, name(key))
    text = (
        f"With _x_ + _y_ and _x_ − _y_ in the place of _x_ and _y_, the same latents of {who} have "
        f"a MIG of {decimal(row['haar_observed'])}, random bases {decimal(row['haar_null_mean'])}"
    )
    if key in rows:
        own = rows[key]
        text += (
            f" (with _x_ and _y_ themselves {decimal(own['haar_observed'])} and "
            f"{decimal(own['haar_null_mean'])})"
        )
    says = "still" if row["special"] else "no longer"
    return f"{text}: the axes are {says} distinguishable from random ones."


def _sentences() -> dict[str, Callable[[Results], str]]:
    found: dict[str, Callable[[Results], str]] = {
        "published": published.over_all,
        "published/metrics": published.other_metrics,
        "asker": published.to_the_asker,
        "trainings": trainings,
        "calibration": diagnostics.calibration,
        "error-rates": diagnostics.error_rates,
        "controls": controls,
        "beta": beta.found,
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
        "disagree": disagree,
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
            found[f"{profile}/{arm}/part"] = partial(effects.largest_part, profile=profile, arm=arm)
            for metric in METRICS:
                found[f"{profile}/{arm}/{metric}"] = partial(
                    test, profile=profile, arm=arm, metric=metric
                )
    return found


SENTENCES = _sentences()
