"""Latents that depend on one another: rounding noise is never scored as a direction."""

from __future__ import annotations

import numpy as np
import pytest
from definitions import mig

from reproduce.basis import assessment, bases
from reproduce.basis.representation import Representation
from reproduce.metrics import rounding
from reproduce.metrics.information import InformationEngine

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(5, size=(800, 3))
LATENTS = FACTORS + 0.3 * RNG.normal(size=FACTORS.shape)
MIXED = LATENTS @ bases.haar(1, 3, RNG)[0]
DEPENDENT = {
    "duplicate": np.c_[MIXED, MIXED[:, 0]],
    "constant": np.c_[MIXED, np.full(len(MIXED), 3.7)],
    "sum": np.c_[MIXED, MIXED.sum(axis=1)],
    "negated": np.c_[MIXED, -MIXED[:, 1]],
    "sum in single precision": np.c_[MIXED, MIXED.sum(axis=1)].astype(np.float32),
    "far from zero": np.c_[MIXED, MIXED[:, 0]] + 1e6,
}


def of(latents):
    return Representation(latents.astype(np.float64), FACTORS, tuple("abc"), (5,) * 3)


@pytest.mark.parametrize("kind", DEPENDENT)
def test_principal_components_are_as_many_as_the_rank(kind):
    latents = DEPENDENT[kind].astype(np.float64)
    assert rounding.rank(latents) == 3
    # The projections on the three directions that vary, by an SVD of their own.
    _, _, axes = np.linalg.svd(latents - latents.mean(axis=0))
    expected = mig(latents @ axes[:3].T, FACTORS)
    frame = assessment.assess(of(latents), assessment.Plan(["pca"], ["mig"], 1)).table
    assert frame["observed"].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", DEPENDENT)
def test_independent_components_are_as_many_and_find_the_sources(kind):
    latents = DEPENDENT[kind].astype(np.float64)
    found = latents @ bases.fast_ica(latents, 0)
    assert found.shape[1] == 3
    np.testing.assert_allclose(np.cov(found, rowvar=False, ddof=0), np.eye(3), atol=1e-5)
    # Each source is one component, up to sign and scale.
    links = np.abs(np.corrcoef(found, LATENTS, rowvar=False)[:3, 3:])
    np.testing.assert_allclose(links.max(axis=0), 1, atol=0.02)


@pytest.mark.parametrize("kind", DEPENDENT)
def test_whitened_latents_have_the_covariance_of_a_projection(kind):
    active = of(DEPENDENT[kind]).active_points()
    white = bases.whiten(active).latents
    variances = np.linalg.eigvalsh(np.cov(white, rowvar=False))
    expected = np.r_[np.zeros(white.shape[1] - 3), np.ones(3)]
    np.testing.assert_allclose(variances, expected, atol=1e-4)


def test_full_rank_is_full_rank():
    assert rounding.rank(LATENTS) == rounding.rank(LATENTS * [1, 1e-9, 1e6]) == 3
    assert rounding.rank(LATENTS.astype(np.float32).astype(np.float64)) == 3
    assert rounding.rank(FACTORS.astype(np.float64)) == 3
    assert rounding.rank(LATENTS[:3]) == 2  # n points span n - 1 directions


def test_precision_is_of_the_narrowest_type_that_holds_the_latents():
    for kept in (np.float16, np.float32, np.float64):
        values = LATENTS.astype(kept).astype(np.float64)
        assert rounding.precision(values) == np.finfo(kept).eps
    assert rounding.precision(np.round(LATENTS)) == np.finfo(np.float64).eps  # exact


def test_an_axis_that_varies_by_rounding_alone_tells_nothing():
    latents = np.c_[MIXED, MIXED[:, 0]]
    turn = np.eye(4)
    turn[[0, 0, 3, 3], [0, 3, 0, 3]] = np.sqrt([0.5, 0.5, 0.5, 0.5]) * [1, 1, 1, -1]
    noisy = latents.copy()
    noisy[::2, 3] *= 1 + 2e-16  # as another order of summation would have left it
    found = InformationEngine(noisy, FACTORS)(turn[None])[0]
    assert np.all(found[3] == 0)  # the difference of the twins
    assert np.all(found[:3].max(axis=1) > 0.1)


@pytest.mark.parametrize("family", ["supervised", "geodesic", "general_linear", "haar_active"])
@pytest.mark.parametrize("kind", ["duplicate", "sum in single precision"])
def test_every_family_takes_dependent_latents(family, kind):
    plan = assessment.Plan([family], ["mig", "modularity"], 9)
    table = assessment.assess(of(DEPENDENT[kind]), plan).table
    assert np.isfinite(table[["observed", "null_mean"]].to_numpy()).all()
