"""What published models come to, attribute by attribute: tables from result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.files import InputError
from reproduce.basis import factor_verdicts, representation
from reproduce.reporting import result_tables
from reproduce.reporting.names import word_of
from reproduce.training import vae_losses
from reproduce.training.run_directory import RunDirectory

INSTRUMENTS = ("encoder", "decoder")
ALPHA = 0.05
_NULLS = ("haar", "haar_active")
_SHOWN = ("null_mean", "z", "p_value")


def attributes(run: RunDirectory) -> pd.DataFrame:
    """Each factor's verdict by each instrument that there is, of one run.

    Returns:
        `model`, `loss`, `instrument`, `factor`, `word`, and `factor_verdicts`' columns against
        random bases of all latents (N2), with `p_active` and `holm_active` of the active ones (N1),
        and `verdict`: whether the factor stands out against both after Holm's adjustment.

    Raises:
        InputError: If a file is missing or damaged.
    """
    config = run.read_config()
    assert config.origin is not None
    files = (run.basis_test_file, run.decoder_test_file)
    found = []
    for instrument, test in zip(INSTRUMENTS, files, strict=True):
        file = test.with_name("factor_test.csv")
        if instrument == "decoder" and not file.exists():
            continue
        frame = result_tables.read(file, factor_verdicts.COLUMNS)
        all_latents, active = (frame[frame["family"] == family] for family in _NULLS)
        if active.empty or all_latents.empty:
            raise InputError(f"{file}: lacks one of the nulls {', '.join(_NULLS)}; test by both")
        table = all_latents.drop(columns="family").reset_index(drop=True)
        table["p_active"] = active["p_value"].to_numpy()
        table["holm_active"] = active["holm_p"].to_numpy()
        table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
        table.insert(0, "word", [word_of(factor) for factor in table["factor"]])
        table.insert(0, "instrument", instrument)
        table.insert(0, "loss", config.origin.loss)
        table.insert(0, "model", config.origin.name)
        found.append(table)
    return pd.concat(found, ignore_index=True)


def _verdict(row: Mapping[Any, Any]) -> str:
    if not row["carried"]:
        return "left out"
    if np.isnan(row["holm_p"]) or np.isnan(row["holm_active"]):
        return "no verdict"
    stands_out = row["holm_p"] <= ALPHA and row["holm_active"] <= ALPHA
    return "stands out" if stands_out else "not distinguishable"


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """How the two instruments compare, word by word, where both judged it; may be empty.

    A word's factors are taken together: it stands out if one of them does.
    """
    judged = table[table["word"].ne("") & table["verdict"].ne("left out")]
    rows = []
    for (model, word), group in judged.groupby(["model", "word"], sort=False):
        by = dict(iter(group.groupby("instrument")))
        if set(by) != set(INSTRUMENTS):
            continue
        verdicts = [by[name]["verdict"].eq("stands out").any() for name in INSTRUMENTS]
        best = [by[name].sort_values("gap").iloc[-1] for name in INSTRUMENTS]
        axes = [row["best_axis"] for row in best]
        rows.append([model, word, *verdicts, verdicts[0] == verdicts[1], *axes])
    columns = ["model", "word", "encoder", "decoder", "agree", "encoder_axis", "decoder_axis"]
    return pd.DataFrame(rows, columns=columns)


def losses(runs: Sequence[RunDirectory]) -> pd.DataFrame:
    """Losses of each run on what it is tested on, beside the published ones, and how near.

    Raises:
        InputError: If a file is missing or damaged.
    """
    tables = []
    for run in runs:
        config = run.read_config()
        assert config.origin is not None
        table = result_tables.read(run.losses_file, vae_losses.COLUMNS)
        table.insert(0, "tested_on", config.data_set)
        table.insert(0, "model", config.origin.name)
        for term in ("reconstruction", "kl"):
            table[f"{term}_ratio"] = table[term] / table[f"published_{term}"]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def metrics(runs: Sequence[RunDirectory]) -> pd.DataFrame:
    """Every metric of each run against both nulls, with the supervised rotation's held-out score.

    Raises:
        InputError: If a file is missing or damaged.
    """
    rows = []
    for run in runs:
        config = run.read_config()
        assert config.origin is not None
        frame = result_tables.read(run.basis_test_file, ["family", "metric", "observed"])
        active = len(representation.load(run.representation_file, run.fingerprint()).active())
        for metric in dict.fromkeys(frame.loc[frame["family"] == "haar", "metric"]):
            of_metric = frame[frame["metric"] == metric]
            row = {"model": config.origin.name, "tested_on": config.data_set, "metric": metric}
            observed = of_metric.loc[of_metric["family"] == "haar", "observed"].item()
            row |= {"active": active, "observed": observed}
            records = {entry["family"]: entry for entry in of_metric.to_dict("records")}
            for family in _NULLS:
                own = records.get(family, {})
                row |= {f"{family}_{key}": own.get(key, np.nan) for key in _SHOWN}
            for name in ("pca", "supervised"):
                row[name] = records.get(name, {}).get("observed", np.nan)
            rows.append(row)
    return pd.DataFrame(rows)
