"""Verdicts by factor: against scikit-learn's information, planted axes and what follows exactly."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from reproduce.basis import assessment, decodability, significance
from reproduce.basis.representation import Representation
from reproduce.metrics.information import discretise


@pytest.fixture(scope="module")
def planted():
    """One factor on an axis of its own, one spread over two axes, and one that no latent knows."""
    rng = np.random.default_rng(0)
    factors = rng.integers(5, size=(3_000, 3))
    noise = rng.normal(size=(3_000, 4))
    spread = factors[:, 1] - 2.0
    latents = 0.3 * noise
    latents[:, 2] += factors[:, 0] - 2.0
    latents[:, 0] += spread / np.sqrt(2)
    latents[:, 3] += spread / np.sqrt(2)
    latents[:, 1] *= 4
    return Representation(latents, factors, ("own", "spread", "unknown"), (5, 5, 5))


@pytest.fixture(scope="module")
def found(planted):
    plan = assessment.Plan(("haar", "haar_active"), ("mig", "mig_sup"), 199)
    return assessment.assess(planted, plan)


def test_gaps_are_those_of_sklearns_information(planted, found):
    bins = discretise(planted.latents)
    rows = found.by_factor[found.by_factor["family"] == "haar"]
    for j, (_, row) in enumerate(rows.iterrows()):
        factor = planted.factors[:, j]
        told = np.array([mutual_info_score(b, factor) for b in bins.T])
        told /= mutual_info_score(factor, factor)
        order = np.argsort(-told)
        assert (row["best_axis"], row["second_axis"]) == tuple(order[:2])
        assert row["gap"] == pytest.approx(told[order[0]] - told[order[1]])
        np.testing.assert_allclose(found.shares[row["factor"]], told)
        assert row["low"] <= row["gap"] + 0.02


def test_the_gaps_and_their_nulls_average_to_mig(found):
    for family, rows in found.by_factor.groupby("family"):
        of_mig = found.table[(found.table["family"] == family) & (found.table["metric"] == "mig")]
        assert rows["gap"].mean() == pytest.approx(of_mig["observed"].item())
        assert rows["null_mean"].mean() == pytest.approx(of_mig["null_mean"].item())
        assert set(rows["num_bases"]) == {199}


def test_the_planted_axis_stands_out_and_the_spread_factor_does_not(found):
    rows = found.by_factor[found.by_factor["family"] == "haar_active"].set_index("factor")
    assert rows.loc["own", "best_axis"] == 2
    assert rows.loc["own", "holm_p"] < 0.05
    assert rows.loc["spread", "holm_p"] > 0.05
    # Which of its two axes tells more is a matter of noise, so that 0 is within the interval.
    assert rows.loc["spread", "low"] < 0 < rows.loc["spread", "high"]
    assert rows.loc["own", "low"] > 0


def test_what_no_latent_knows_is_left_out_of_the_adjustment(planted, found):
    assert found.by_factor["carried"].tolist() == [True, True, False] * 2
    assert found.by_factor["holm_p"].isna().tolist() == [False, False, True] * 2
    rows = found.by_factor[found.by_factor["family"] == "haar"]
    expected = significance.holm(rows["p_value"].tolist()[:2], 2)
    assert rows["holm_p"].tolist()[:2] == expected


def test_the_gate_favours_no_basis(planted):
    rng = np.random.default_rng(1)
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    own = decodability.held_out_r2(planted.latents, planted.factors, 0)
    # Standardising is of each axis, so that equality is of latents of one variance alone.
    white = planted.latents - planted.latents.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    before, after = (
        decodability.held_out_r2(latents, planted.factors, 0)
        for latents in (white, white @ rotation)
    )
    np.testing.assert_allclose(before, after, atol=2e-3)
    assert own[0] > 0.9
    assert own[1] > 0.9
    assert abs(own[2]) < decodability.MIN_R2
    constant = decodability.held_out_r2(planted.latents, np.zeros((3_000, 1), int), 0)
    assert np.isnan(constant).all()


def test_without_mig_there_are_no_verdicts_by_factor(planted):
    found = assessment.assess(planted, assessment.Plan(("haar",), ("sap_continuous",), 9))
    assert found.by_factor is None
    assert found.shares is None
