"""Families of bases: the distributions that they claim, and paths that end where they should."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import assessment, bases
from reproduce.basis.representation import Representation


@pytest.mark.parametrize("draw", [bases.haar, bases.signed_permutation])
def test_every_draw_is_orthogonal(draw):
    q = draw(50, 6, np.random.default_rng(0))
    np.testing.assert_allclose(q @ np.swapaxes(q, 1, 2), np.tile(np.eye(6), (50, 1, 1)), atol=1e-12)


def test_signed_permutations_only_move_and_flip_axes():
    q = bases.signed_permutation(2_000, 4, np.random.default_rng(4))
    assert np.all(np.sum(q != 0, axis=1) == 1)
    assert np.all(np.sum(q != 0, axis=2) == 1)
    assert set(np.unique(q)) == {-1.0, 0.0, 1.0}
    np.testing.assert_allclose(np.mean(np.abs(q), axis=0), 0.25, atol=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
@settings(max_examples=50, deadline=None)
def test_geodesics_are_one_parameter_groups_that_reach_the_rotation(seed, d):
    q = bases.haar(1, d, np.random.default_rng(seed))[0]
    path = bases.geodesic(q, (0.0, 0.25, 0.5, 1.0))
    target = q.copy()
    if np.linalg.det(q) < 0:
        target[:, -1] *= -1
    np.testing.assert_allclose(path[0], np.eye(d), atol=1e-9)
    np.testing.assert_allclose(path[3], target, atol=1e-9)
    np.testing.assert_allclose(path[2] @ path[2], target, atol=1e-8)
    np.testing.assert_allclose(path[1] @ path[1], path[2], atol=1e-8)
    np.testing.assert_allclose(path[1] @ path[1].T, np.eye(d), atol=1e-9)


def test_geodesics_are_the_exponential_of_the_principal_logarithm():
    q = scipy.stats.special_ortho_group(5, seed=5).rvs()
    expected = scipy.linalg.expm(0.3 * scipy.linalg.logm(q).real)
    np.testing.assert_allclose(bases.geodesic(q, (0.3,))[0], expected, atol=1e-9)


def test_a_geodesic_to_a_pair_of_flipped_axes_turns_by_pi():
    flip = np.diag([-1.0, 1.0, -1.0])
    half = bases.geodesic(flip, (0.5,))[0]
    np.testing.assert_allclose(half @ half, flip, atol=1e-12)
    np.testing.assert_allclose(half @ half.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("dimension", [2, 5, 8])
def test_sparse_rotations_mix_pairs_of_axes_alone(dimension):
    drawn = bases.sparse_rotation(200, dimension, np.random.default_rng(dimension))
    np.testing.assert_allclose(
        drawn @ drawn.swapaxes(1, 2), np.tile(np.eye(dimension), (200, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(drawn), 1.0)
    assert (np.count_nonzero(drawn, axis=1) <= 2).all()
    # Every axis is mixed with every other one, but for the odd one out.
    mixed = (np.abs(drawn) > 0).any(axis=0)
    assert mixed.all()


def test_the_angles_of_sparse_rotations_are_uniform():
    drawn = bases.sparse_rotation(2_000, 2, np.random.default_rng(0))
    angles = np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0])
    assert scipy.stats.kstest(angles, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3


def test_haar_data_is_a_rotation_of_uncorrelated_latents():
    rng = np.random.default_rng(1)
    factors = rng.integers(5, size=(2_000, 3))
    mixing = np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 3.0]])
    correlated = Representation(((factors - 2) / 1.4) @ mixing, factors, tuple("abc"), (5,) * 3)
    found = assessment.assess(correlated, assessment.Plan(["haar_data"], ["mig"], 99))
    family = bases.FAMILIES["haar_data"]
    points = family.points(correlated)
    np.testing.assert_allclose(np.cov(points.latents.T), np.eye(3), atol=2e-3)
    # The learned axes are those of the file, whatever their scale.
    learned = points.latents @ family.learned(correlated)
    np.testing.assert_allclose(learned, correlated.latents - correlated.latents.mean(0), atol=1e-9)
    assert found.table["observed"].item() > found.table["null_max"].item()
