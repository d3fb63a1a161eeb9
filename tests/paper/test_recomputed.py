"""Verdicts, contrasts and what the paper says of them, computed anew from the seeds' own tables.

By NumPy and SciPy alone, and from other files than the paper reads.
"""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from programs import ROOT

from paper.sentences import SENTENCES
from paper.sources import Results
from paper.tables import verdicts

RESULTS = ROOT / "paper" / "results"
PROFILES = ("quick", "quick-faces")
ARMS = ("beta_vae/diagonal", "beta_vae/full_covariance", "infogan", "glow")
FILES = {
    "mig": ("basis_test.csv", "mig"),
    "decoder_mig": ("decoder/basis_test.csv", "mig"),
    "traversal_purity": ("traversal_purity.csv", "traversal_purity"),
}


def seeds(profile, arm, metric, family="haar"):
    """Each seed's learned value and mean of its random bases, in the order of seeds."""
    name, column = FILES[metric]
    folders = sorted((RESULTS / profile / "runs").glob(f"{arm.replace('/', '-')}-seed*"))
    found = []
    for folder in folders:
        table = pd.read_csv(folder / name)
        rows = table[(table["family"] == family) & (table["metric"] == column)]
        found.append((rows["observed"].iloc[0], rows["null_mean"].iloc[0]))
    return np.array(found).T


def written(value):
    """A number as the paper has it."""
    return f"{value:.3f}".replace("0.", ".", 1).replace("-", "−")


@pytest.fixture(params=PROFILES)
def profile(request):
    table = pd.read_csv(RESULTS / request.param / "verdict.csv")
    return request.param, table.set_index(["model", "metric"])


def test_means_effects_and_intervals_are_those_of_the_seeds(profile):
    name, table = profile
    for arm, metric in itertools.product(ARMS, FILES):
        learned, random = seeds(name, arm, metric)
        row = table.loc[(arm, metric)]
        assert row["haar_observed"] == pytest.approx(learned.mean())
        assert row["haar_null_mean"] == pytest.approx(random.mean())
        effects = learned - random
        assert row["haar_difference"] == pytest.approx(effects.mean())
        if len(effects) > 1:
            error = effects.std(ddof=1) / np.sqrt(len(effects))
            half = scipy.stats.t.ppf(0.975, len(effects) - 1) * error
            assert row["haar_low"] == pytest.approx(effects.mean() - half)
            assert row["haar_high"] == pytest.approx(effects.mean() + half)


def test_joint_p_values_are_those_of_random_pairings(profile):
    name, table = profile
    rng = np.random.default_rng(0)
    for arm in ARMS:
        learned, _ = seeds(name, arm, "mig")
        draws = []
        for folder in sorted((RESULTS / name / "runs").glob(f"{arm.replace('/', '-')}-seed*")):
            with np.load(folder / "null.npz") as file:
                draws.append(rng.choice(file["haar/mig"].astype(float), 400_000))
        share = np.mean(np.mean(draws, axis=0) >= learned.mean())
        # Kept draws have three digits, and so many pairings an error of .0008.
        expected = (1 + 9_999 * share) / 10_000
        assert table.loc[(arm, "mig"), "haar_p"] == pytest.approx(expected, abs=4e-3)


def test_contrasts_are_flips_of_the_pairs_differences(profile):
    name, _ = profile
    rows = pd.read_csv(RESULTS / name / "contrast.csv").set_index("metric")
    for metric in FILES:
        arms = [seeds(name, arm, metric) for arm in ARMS[:2]]
        differences = (arms[0][0] - arms[0][1]) - (arms[1][0] - arms[1][1])
        flips = [
            np.dot(s, differences) for s in itertools.product((1, -1), repeat=len(differences))
        ]
        p = np.mean(np.array(flips) >= differences.sum() - 1e-9)
        assert rows.loc[metric, "p_value"] == pytest.approx(p)
        assert rows.loc[metric, "difference"] == pytest.approx(differences.mean())
        low, high = scipy.stats.t.interval(
            0.95, len(differences) - 1, differences.mean(), scipy.stats.sem(differences)
        )
        assert (rows.loc[metric, "low"], rows.loc[metric, "high"]) == pytest.approx((low, high))


def test_holms_values_are_stepped_down_by_hand(profile):
    name, table = profile
    contrast = pd.read_csv(RESULTS / name / "contrast.csv").set_index("metric").loc["mig"]
    primary = ["mig", "mig", "decoder_mig", "decoder_mig"]
    rows = [table.loc[(arm, metric)] for arm, metric in zip(ARMS, primary, strict=True)]
    raw = [max(row["haar_p"], row["haar_active_p"]) for row in rows] + [contrast["p_value"]]
    adjusted, largest = [0.0] * 5, 0.0
    for step, index in enumerate(np.argsort(raw, kind="stable")):
        largest = max(largest, min(1.0, (5 - step) * raw[index]))
        adjusted[index] = largest
    told = [row["holm_p"] for row in rows] + [contrast["holm_p"]]
    assert told == pytest.approx(adjusted)


def test_the_papers_table_and_sentences_have_these_numbers(profile):
    name, _ = profile
    results = Results(RESULTS)
    table = verdicts(results, name)
    for row, (arm, metric) in zip(
        table.to_dict("records"), itertools.product(ARMS, FILES), strict=True
    ):
        learned, random = seeds(name, arm, metric)
        assert row["learned"] == written(learned.mean())
        assert row["random"].split(" ")[0] == written(random.mean())
        assert row["difference"].split(" ")[0] == written((learned - random).mean())
        assert row["seeds"] == str(len(learned))
        sentence = SENTENCES[f"{name}/{arm}/{metric}"](results)
        assert f"{written(learned.mean())} against {written(random.mean())}" in sentence


def test_the_background_makes_most_of_what_the_diagonal_vae_has_on_faces():
    """MIG is the mean of the factors' gaps, in the learned basis and in each random one."""
    whole, part = [], []
    for folder in sorted((RESULTS / "quick-faces" / "runs").glob("beta_vae-diagonal-seed*")):
        table = pd.read_csv(folder / "factor_test.csv")
        table = table[table["family"] == "haar"].set_index("factor")
        excess = table["gap"] - table["null_mean"]
        whole.append(excess.mean())
        part.append(excess["background"] / len(excess))
    learned, random = seeds("quick-faces", "beta_vae/diagonal", "mig")
    assert np.mean(whole) == pytest.approx((learned - random).mean(), rel=1e-6)
    sentence = SENTENCES["quick-faces/beta_vae/diagonal/part"](Results(RESULTS))
    assert f"{written(np.mean(whole))} MIG, {written(np.mean(part))} is one factor's" in sentence
    assert sentence.endswith("alone: background.")


def test_what_decides_equivalence_is_told(profile):
    name, table = profile
    row = table.loc[("beta_vae/full_covariance", "mig")]
    assert row["verdict"] == "equivalent to random"
    learned, random = seeds(name, "beta_vae/full_covariance", "mig")
    low, high = scipy.stats.t.interval(
        0.9, len(learned) - 1, (learned - random).mean(), scipy.stats.sem(learned - random)
    )
    assert max(abs(low), abs(high)) < 0.02
    sentence = SENTENCES[f"{name}/beta_vae/full_covariance/mig"](Results(RESULTS))
    assert f"by the 90% interval, {written(low)} to {written(high)}" in sentence
    is_below = (learned - random).mean() + (row["haar_high"] - row["haar_difference"]) < 0
    assert ("slightly below" in sentence) == is_below == (name == "quick-faces")


def test_the_summary_of_published_models_counts_their_verdicts():
    table = pd.read_csv(RESULTS / "published" / "attributes.csv")
    table = table[table["instrument"] == "encoder"]
    sentence = SENTENCES["published"](Results(RESULTS))
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
    for factor, rows in table.groupby("factor"):
        n = int((rows["verdict"] == "stands out").sum())
        told = [f"{factor.replace('_', ' ')} in {word}" in sentence for word in words[1:]]
        assert told == [k == n for k in range(1, len(words))]
    scores = pd.read_csv(RESULTS / "published" / "metrics.csv")
    mig = scores[(scores["metric"] == "mig") & scores["model"].isin(table["model"])]["observed"]
    assert f"{written(mig.min())} to {written(mig.max())}" in sentence


def test_what_is_said_of_trainings_is_in_their_settings():
    for profile in PROFILES:
        sentence = SENTENCES[f"{profile}/scale"](Results(RESULTS))
        config = json.loads(
            (RESULTS / profile / "runs" / "beta_vae-diagonal-seed30" / "config.json").read_text()
        )
        images = config["recipe"]["num_steps"] * config["recipe"]["batch_size"]
        assert f"{images:,} images" in sentence
        assert re.search(rf"{100 * images / 19_200_000:.2g}% of", sentence)
