"""Error rates and power of verdicts: in small here, and as recorded in paper/results."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reproduce.basis import error_rates

RECORDED = Path("paper/results/error_rates.csv")
BY_NAME = {truth.name: truth for truth in error_rates.TRUTHS}


@pytest.fixture(scope="module")
def shares():
    names = ("one more random basis", "at the margin, below", "as published on dSprites")
    table = error_rates.simulate([BY_NAME[name] for name in names], [6], 200, 199, seed=1)
    return table.set_index(["truth", "outcome"])["share"]


def test_rates_are_as_small_and_power_as_large_as_they_should_be(shares):
    slack = 3 * np.sqrt(0.05 * 0.95 / 200)  # of a share of .05 among 200
    assert shares["one more random basis", "aligned"] <= 0.05 + slack
    assert shares["one more random basis", "contrast"] <= 0.05 + slack
    assert shares["at the margin, below", "equivalent to random"] <= 0.05 + slack
    assert shares["as published on dSprites", "aligned"] > 0.95
    assert shares["as published on dSprites", "contrast"] > 0.6


def test_each_study_has_one_verdict(shares):
    verdicts = shares.drop("contrast", level="outcome").groupby("truth").sum()
    assert verdicts.to_numpy() == pytest.approx(1)


def test_the_recorded_rates_are_those_that_the_protocol_promises():
    table = pd.read_csv(RECORDED)
    assert (table["repetitions"] >= 1000).all()
    shares = table.set_index(["truth", "outcome", "num_seeds"])["share"]
    slack = 3 * np.sqrt(0.05 * 0.95 / 1000)
    for num_seeds in (3, 6, 12):
        for truth in ("at the margin", "at the margin, below"):
            assert shares[truth, "equivalent to random", num_seeds] <= 0.05 + slack
        for outcome in ("aligned", "contrast"):
            assert shares["one more random basis", outcome, num_seeds] <= 0.05 + slack
    assert shares["as published on dSprites", "contrast", 12] > 0.95
