"""What the models of CelebA that others published come to: sentences from result files."""

from __future__ import annotations

import pandas as pd

from paper.sources import Results
from paper.words import count, decimal, listing, printed_p
from reproduce.reporting.names import WORDS

_ATTRIBUTES = "published/attributes.csv"
_METRICS = "published/metrics.csv"
_COLUMNS = ("model", "instrument", "word", "factor", "gap", "null_mean", "verdict")
STATES = ("left out", "not distinguishable", "stands out")


def attributes(results: Results) -> pd.DataFrame:
    """Verdicts of the models of CelebA, factor by factor, on the encoder's side.

    Raises:
        MissingError: If there are none.
        InputError: If the file is damaged.
    """
    table = results.table(_ATTRIBUTES, _COLUMNS)
    return table[table["instrument"] == "encoder"]


def plain(factor: str) -> str:
    """A factor as it is read: hair_colour is hair colour."""
    return factor.replace("_", " ")


def over_all(results: Results) -> str:
    """What the models of CelebA come to, over all and attribute by attribute."""
    table = attributes(results)
    scores = results.table(_METRICS, ["model", "metric", "observed", "haar_null_mean"])
    mig = scores[scores["metric"].eq("mig") & scores["model"].isin(table["model"])]
    parts = []
    for words in (("stands out", "stand out"), ("not distinguishable",) * 2, ("left out",) * 2):
        factors = table[table["verdict"].eq(words[0])].groupby("factor", sort=False).size()
        if words[0] == "stands out":
            listed = [
                f"{plain(str(factor))} in {count(int(n))}"
                for factor, n in factors.sort_values(ascending=False, kind="stable").items()
            ]
            parts.append(f"Of attributes, {listing(listed)} stand out")
        else:
            every = [f for f, n in factors.items() if n == table["model"].nunique()]
            if every and words[0] == "not distinguishable":
                parts.append(f"{listing([plain(str(f)) for f in every])} in none")
            elif every:
                parts.append(
                    f"{listing([plain(str(f)) for f in every])} are not in the latents, as far as "
                    "rendered faces tell"
                )
    return (
        f"In {count(len(mig))} VAEs of CelebA that others published, MIG on rendered faces is "
        f"{decimal(mig['observed'].min())} to {decimal(mig['observed'].max())}, where random bases "
        f"have {decimal(mig['haar_null_mean'].min())} to {decimal(mig['haar_null_mean'].max())} "
        f"({_largest_p(results, table)}; one seed each, exploratory). "
        + " ".join(filter(None, (largest_part(table), f"{'; '.join(parts)}.")))
    )


def largest_part(table: pd.DataFrame) -> str:
    """How much of MIG is one factor's gap; empty if no factor has half of it on average."""
    gaps = table.pivot(index="model", columns="factor", values="gap")
    shares = gaps.div(gaps.sum(axis=1), axis=0)
    factor = str(shares.mean().idxmax())
    if shares[factor].mean() < 0.5:
        return ""
    low, high = 100 * shares[factor].min(), 100 * shares[factor].max()
    return f"Of that MIG {low:.0f}% to {high:.0f}% is {plain(factor)} alone."


def _largest_p(results: Results, table: pd.DataFrame) -> str:
    scores = results.table(_METRICS, ["model", "metric", "haar_p_value", "haar_active_p_value"])
    mig = scores[scores["metric"].eq("mig") & scores["model"].isin(table["model"])]
    return f"largest {printed_p(float(mig[['haar_p_value', 'haar_active_p_value']].max().max()))}"


def other_metrics(results: Results) -> str:
    """By which other metrics the published models stand out against both nulls."""
    scores = results.table(
        _METRICS, ["model", "metric", "haar_p_value", "haar_active_p_value", "observed"]
    )
    scores = scores[scores["model"].isin(attributes(results)["model"])]
    both = scores[["haar_p_value", "haar_active_p_value"]].max(axis=1) <= 0.05
    found = scores.assign(both=both).groupby("metric", sort=False)["both"].agg(["sum", "size"])
    listed = [
        f"{_metric(str(metric))} {int(row['sum'])} of {int(row['size'])}"
        for metric, row in found.iterrows()
    ]
    return f"Against both nulls at .05, not corrected, stand out by {listing(listed)}."


def _metric(metric: str) -> str:
    acronyms = {"mig", "sap", "irs", "dci", "vae"}
    return " ".join(w.upper() if w in acronyms else w for w in metric.split("_"))


def to_the_asker(results: Results) -> str:
    """The answer in the question's own words."""
    table = attributes(results)
    num_models = table["model"].nunique()
    found: dict[str, list[str]] = {state: [] for state in STATES}
    for word, factors in WORDS.items():
        rows = table[table["factor"].isin(factors)]
        if rows.empty:
            continue
        states = rows.groupby("model")["verdict"].agg(
            lambda verdicts: max(verdicts, key=STATES.index)
        )
        best = states.map(STATES.index)
        if (best == 2).any():
            found["stands out"].append(f"{word} (in {count(int((best == 2).sum()))})")
        else:
            found[STATES[int(best.max())]].append(word)
    parts = []
    if found["stands out"]:
        parts.append(
            f"of the {count(num_models)} published models some have an axis for "
            f"{listing(found['stands out'])} that nearly all random bases lack"
        )
    if found["not distinguishable"]:
        parts.append(f"for {listing(found['not distinguishable'])} none could be shown")
    if found["left out"]:
        parts.append(
            f"and of {listing(found['left out'])} their latents tell too little for rendered faces "
            "to decide"
        )
    return f"So, to the asker: {'; '.join(parts)}."
