"""Mutual information and MIG against recorded figures, scikit-learn and closed forms."""

import numpy as np
import pytest
import recorded
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import bases
from reproduce.metrics.information import (
    InformationEngine,
    discretise,
    entropies,
    mutual_information,
)
from reproduce.metrics.mig import mig

RECORDED = [
    f"{size}_{kind}"
    for size in ("small", "dsprites_shaped")
    for kind in ("aligned", "dead", "mixed", "noise", "rotated")
]


def random_representation(rng, n=500, d=5, sizes=(3, 4, 7)):
    factors = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    factors[0], factors[1] = 0, np.array(sizes) - 1
    latents = factors @ rng.normal(size=(len(sizes), d)) + rng.normal(size=(n, d))
    return latents, factors


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_figures_of_disentanglement_lib_are_met(name):
    expected = recorded.load(name)
    latents, factors = expected["latents_train"], expected["factors_train"].astype(np.int64)
    single = mutual_information(latents, factors)
    batched = InformationEngine(latents, factors)(np.eye(latents.shape[1])[None])[0]
    h = entropies(factors)
    np.testing.assert_allclose(h, expected["expected_factor_entropy"], rtol=1e-9)
    for information in (single, batched):
        np.testing.assert_allclose(
            information, expected["expected_mutual_information"], rtol=1e-6, atol=1e-12
        )
        np.testing.assert_allclose(mig(information, h), expected["expected_mig"], rtol=1e-6)


def test_mutual_information_is_scikit_learns():
    latents, factors = random_representation(np.random.default_rng(0))
    bins = discretise(latents)
    ours = mutual_information(latents, factors)
    for i in range(latents.shape[1]):
        for j in range(factors.shape[1]):
            theirs = sklearn.metrics.mutual_info_score(factors[:, j], bins[:, i])
            assert ours[i, j] == pytest.approx(theirs, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 60))
@settings(max_examples=30, deadline=None)
def test_a_batch_of_bases_equals_one_basis_at_a_time(seed, d, largest_size):
    rng = np.random.default_rng(seed)
    latents, factors = random_representation(rng, n=300, d=d, sizes=(2, largest_size, 5))
    many = bases.haar(4, d, rng)
    engine = InformationEngine(latents, factors)
    for basis, information, own in zip(many, engine(many), engine.entropies(many), strict=True):
        single = mutual_information(latents @ basis, factors)
        np.testing.assert_allclose(information, single, atol=1e-9)
        # A latent tells all of itself.
        bins = discretise(latents @ basis)
        np.testing.assert_allclose(own, entropies(bins), atol=1e-9)
        np.testing.assert_allclose(own[0], mutual_information(latents @ basis, bins)[0, 0])


def test_values_on_the_edges_of_bins_are_binned_as_numpy_bins_them():
    # 21 equally spaced values lie on the edges themselves, where rounding decides.
    latents = np.repeat(np.linspace(-0.3, 0.7, 21), 5)[:, None] * [1.0, 3.0]
    factors = np.tile(np.arange(5), 21)[:, None]
    factors = np.hstack([factors, np.repeat(np.arange(21), 5)[:, None]])
    batched = InformationEngine(latents, factors)(np.eye(2)[None])[0]
    np.testing.assert_allclose(batched, mutual_information(latents, factors), atol=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_permutation_sign_and_scale_leave_mig_unchanged(seed):
    rng = np.random.default_rng(seed)
    latents, factors = random_representation(rng)
    d = latents.shape[1]
    moved = latents[:, rng.permutation(d)] * rng.choice([-1, 1], d) * rng.uniform(0.1, 10, d)
    h = entropies(factors)
    before = mig(mutual_information(latents, factors), h)
    after = mig(mutual_information(moved, factors), h)
    assert after == pytest.approx(before, abs=5e-3)


def test_aligned_latents_reach_the_maximum_and_beat_every_rotation():
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    engine, h = InformationEngine(grid.astype(float), grid), entropies(grid)
    assert mig(engine(np.eye(3)[None]), h)[0] == pytest.approx(1.0)
    rotated = mig(engine(bases.haar(100, 3, np.random.default_rng(0))), h)
    assert rotated.max() < 1.0


def test_mig_by_hand():
    information = np.array([[0.6, 0.1], [0.2, 0.4], [0.0, 0.3]])
    # (.6 - .2) / 1 and (.4 - .3) / 2, averaged.
    assert mig(information, np.array([1.0, 2.0])) == pytest.approx((0.4 + 0.05) / 2)


def test_a_constant_latent_has_no_information():
    latents, factors = random_representation(np.random.default_rng(1))
    latents[:, 2] = 3.0
    assert np.all(mutual_information(latents, factors)[2] == 0)
    engine = InformationEngine(latents, factors)
    assert np.all(engine(np.eye(5)[None])[0, 2] == 0)
    assert engine.entropies(np.eye(5)[None])[0, 2] == 0
