"""What is not a number is no evidence: no p-value, no verdict, no star on a page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.files import InputError, save_npz, write_text
from reproduce.basis import assessment, cherry_picking, representation
from reproduce.basis.over_seeds import permutation_contrast
from reproduce.basis.representation import Representation
from reproduce.basis.significance import (
    holm,
    p_value,
    smallest_detectable,
    z_score,
)
from reproduce.reporting import page, seed_results, seed_verdicts, verdict_words
from reproduce.traversal import purity

NUMBERS = st.floats(-5, 5)


@given(st.lists(NUMBERS, min_size=3, max_size=30), st.integers(0, 29), NUMBERS)
def test_one_nan_among_draws_or_in_the_observed_value_takes_every_statistic_away(
    draws, place, observed
):
    spoiled = np.array(draws)
    spoiled[place % len(draws)] = np.nan
    for value, null in ((observed, spoiled), (np.nan, np.array(draws))):
        assert np.isnan(p_value(value, null))
        assert np.isnan(z_score(value, null))
    assert np.isnan(smallest_detectable(spoiled, 0.05))


def test_holm_counts_a_missing_number_as_one_and_leaves_it_missing():
    adjusted = holm([0.01, np.nan, 0.02], 5)
    # By hand: 5 * .01, then 4 * .02; the missing one ranks as 1 with those not tested.
    assert adjusted[0] == pytest.approx(0.05)
    assert adjusted[2] == pytest.approx(0.08)
    assert np.isnan(adjusted[1])


@pytest.mark.parametrize("effect", [np.nan, np.inf])
def test_a_contrast_of_what_is_not_finite_has_no_p(effect):
    p, floor = permutation_contrast([3.0, effect], [1.0, 2.0], np.random.default_rng(0))
    assert np.isnan(p)
    assert floor == pytest.approx(1 / 6)  # 4 choose 2


def test_cherry_picking_of_nan_finds_nothing():
    random = np.full((9, 2), 0.1)
    random[3, 1] = np.nan
    curve = cherry_picking.curve(np.array([0.5, 0.2]), random, np.random.default_rng(0))
    assert curve[["p_value", "m_star"]].isna().all(axis=None)


def test_one_factor_has_no_purity():
    with pytest.raises(InputError, match="with one factor there is no purity"):
        purity.purity_of_rows(np.ones((4, 1)))


@pytest.fixture
def tested(tmp_path):
    """A representation and its basis test, whose draws a test may spoil."""
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(300, 2))
    encoded = Representation(
        factors + 0.1 * rng.normal(size=factors.shape), factors, ("a", "b"), (4, 4)
    )
    representation.save(tmp_path / "r.npz", encoded)
    encoded = representation.load(tmp_path / "r.npz")
    return tmp_path, assessment.assess(
        encoded, assessment.Plan(["haar_active", "haar"], ["mig", "modularity"], 99)
    )


@pytest.mark.parametrize("family", ["haar", "haar_active"])
@pytest.mark.parametrize("where", ["observed", "null"])
def test_a_nan_gives_no_verdict_and_leaves_other_metrics_alone(tested, family, where):
    folder, found = tested
    table, nulls = found.table, dict(found.nulls)
    row = (table["family"] == family) & (table["metric"] == "mig")
    if where == "observed":
        table.loc[row, "observed"] = np.nan
    else:
        nulls[f"{family}/mig"] = np.where(np.arange(99) == 7, np.nan, nulls[f"{family}/mig"])
        table.loc[row, "null_mean"] = np.nan
    write_text(folder / "basis_test.csv", table.to_csv(index=False))
    save_npz(folder / "null.npz", nulls)
    results = seed_results.read_representations([folder / "r.npz"], [folder / "basis_test.csv"])
    judged, contrasts = seed_verdicts.judge(results, seed=0)
    spoiled, sound = judged.set_index("metric").loc[["mig", "modularity"]].to_dict("records")
    assert not spoiled["special"]
    assert np.isnan(spoiled["haar_p"])
    assert np.isnan(spoiled["haar_active_p"])
    assert verdict_words.headline(spoiled) == "no verdict"
    assert "no verdict: MIG is not a number" in spoiled["sentence"]
    at_least = np.sum(found.nulls["haar/modularity"] >= sound["haar_observed"] - 1e-9)
    assert sound["haar_p"] == (1 + at_least) / 100
    html = page.render(results, judged, contrasts)
    assert "no verdict" in html


def test_a_metric_that_is_not_a_number_spoils_no_other_ones_adjustment():
    draws = np.random.default_rng(0).normal(size=99)
    rows = [
        {"family": "haar", "metric": name, "z": z, "p_value": p}
        for name, z, p in (("mig", 9.0, 0.01), ("modularity", np.nan, np.nan))
    ]
    assessment._add_max_t(rows, {"haar/mig": draws, "haar/modularity": np.full(99, np.nan)})
    assert rows[0]["p_max_t"] == 0.01
    assert "p_max_t" not in rows[1]


def test_a_test_without_a_metric_that_a_rotation_changes_is_refused(tested):
    folder, found = tested
    encoded = representation.load(folder / "r.npz")
    table = found.table.assign(metric="explicitness")
    result = seed_results.SeedResult("mine", "", 0, encoded, table, found.nulls)
    with pytest.raises(InputError, match="no metric was tested against random bases"):
        seed_verdicts.judge([result], seed=0)
