"""What models of CelebA that others published come to: a summary for README, and a table."""

from __future__ import annotations

import pandas as pd

from paper import published
from paper.regions import paragraph, table
from paper.sources import Results
from paper.words import count, decimal, listing, p_value, thousands

_METRICS = ("model", "metric", "observed", "haar_null_mean", "haar_p_value", "haar_active_p_value")


def summary(results: Results) -> str:
    """How many models' axes stand out, by MIG and factor by factor."""
    tested = results.table("published/metrics.csv", _METRICS)
    tested = tested[tested["metric"] == "mig"]
    p = tested[["haar_p_value", "haar_active_p_value"]].max(axis=1)
    special = tested[p <= 0.05]
    known = published.attributes(results)
    models = known["model"].nunique()
    start = (
        f"{count(models).capitalize()} such models were tested on the kit's rendered faces, by MIG "
        f"and then factor by factor, against {thousands(known['num_bases'].max())} random bases of "
        "all latents and as many of the *active* ones, those that a model uses (factors after "
        "Holm's correction for their number; one seed each; exploratory, since they had been "
        "looked at before)."
    )
    by_mig = f"The axes of {count(len(special))} of them have a higher MIG than random ones" + (
        f" ({_range(special['observed'])} against {_range(special['haar_null_mean'])}; "
        f"p {p_value(p[special.index].max())} at most)."
        if len(special)
        else "."
    )
    share = published.largest_part(known)
    counts = known[known["verdict"] == "stands out"]["factor"].value_counts()
    parts = [
        f"{published.plain(str(factor))} in {count(number)}" for factor, number in counts.items()
    ]
    by_factor = f"What stands out: {listing(parts)}." if parts else "No factor stands out in any."
    judged = known[known["verdict"] != "left out"]["factor"].unique()
    never = [published.plain(str(factor)) for factor in judged if factor not in counts]
    none = f"In none: {listing(never)}." if never else ""
    out = [
        published.plain(str(factor)) for factor in known["factor"].unique() if factor not in judged
    ]
    left = f"Left out, not in these latents as far as rendered faces tell: {listing(out)}."
    return paragraph(start, by_mig, share, by_factor, none, left if out else "")


def by_model(results: Results) -> str:
    """A row for each model: MIG against both nulls, and the factors that stand out."""
    tested = results.table("published/metrics.csv", _METRICS)
    known = published.attributes(results)
    rows = []
    for row in tested[tested["metric"] == "mig"].to_dict("records"):
        own = known[known["model"] == row["model"]]
        out = own.loc[own["verdict"] == "stands out", "factor"]
        p = max(row["haar_p_value"], row["haar_active_p_value"])
        rows.append(
            [
                f"`{row['model']}`",
                str(own["loss"].iloc[0]),
                decimal(row["observed"]),
                decimal(row["haar_null_mean"]),
                p_value(p).removeprefix("= "),
                ", ".join(map(published.plain, out)) or "none",
            ]
        )
    return table(["model", "loss", "MIG", "random", "larger p", "factors that stand out"], rows)


def _range(values: pd.Series) -> str:
    low, high = decimal(values.min()), decimal(values.max())
    return low if low == high else f"{low} to {high}"
