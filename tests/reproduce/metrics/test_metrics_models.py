"""Metrics of several models, of decoders and of probes: UDR, distance to orthogonality, DCI-ES."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import bases
from reproduce.metrics.dci_es import dci_es, explicitness
from reproduce.metrics.distance_to_orthogonality import (
    distance_to_orthogonality,
    distances_to_signed_permutations,
    jacobians,
    right_singular_vectors,
)
from reproduce.metrics.udr import pair_score, udr

SEEDS = st.integers(0, 2**32 - 1)
strict = pytest.mark.filterwarnings("error")


# UDR


def siblings(rng, d=4, n=400, noise=0.05):
    """Models with the same independent latents in another order, with other signs and scales."""
    latents = rng.normal(size=(n, d))
    return [
        latents @ bases.signed_permutation(1, d, rng)[0] * rng.uniform(0.1, 10, d)
        + noise * rng.normal(size=(n, d))
        for _ in range(3)
    ]


def test_pair_scores_by_hand():
    assert pair_score(np.eye(3)[[2, 0, 1]]) == 1
    assert pair_score(np.ones((4, 4))) == pytest.approx(1 / 4)
    assert pair_score(np.zeros((2, 3))) == 0
    # Columns: .8^2 / 1, .6^2 / .6; rows: .8^2 / 1.4, .2^2 / .2.
    relation = np.array([[0.8, 0.6], [0.2, 0.0]])
    expected = (0.64 + 0.6 + 0.64 / 1.4 + 0.2) / 4
    assert pair_score(relation) == pytest.approx(expected)


@strict
@pytest.mark.parametrize("method", ["spearman", "lasso"])
def test_models_with_the_same_axes_outrank_rotated_ones(method):
    rng = np.random.default_rng(0)
    models = siblings(rng)
    rotated = [z / z.std(axis=0) @ bases.haar(1, 4, rng)[0] for z in models]
    scores = udr(models, method=method)
    assert scores.shape == (3,)
    assert np.all(scores > 0.75)
    assert np.all(udr(rotated, method=method) < 0.6)
    # Among two alike and one rotated, the rotated one comes last of those compared with two.
    mixed = udr([*models, rotated[0]], method=method)
    assert np.argmin(mixed) == 3


@strict
@pytest.mark.parametrize("method", ["spearman", "lasso"])
def test_udr_is_invariant_under_permutation_sign_and_scale(method):
    @given(SEEDS)
    @settings(max_examples=10, deadline=None)
    def check(seed):
        rng = np.random.default_rng(seed)
        models = [rng.normal(size=(200, 3)) @ rng.normal(size=(3, 5)) for _ in range(3)]
        moved = [
            z @ bases.signed_permutation(1, 5, rng)[0] * rng.uniform(0.1, 10, 5) for z in models
        ]
        tolerance = 1e-9 if method == "spearman" else 0.02
        np.testing.assert_allclose(
            udr(moved, method=method), udr(models, method=method), atol=tolerance
        )

    check()


@strict
@pytest.mark.parametrize("method", ["spearman", "lasso"])
def test_uninformative_latents_are_left_out_of_udr(method):
    rng = np.random.default_rng(1)
    models = siblings(rng)
    with_constant = [np.insert(z, 1, 0.3, axis=1) for z in models]
    expected = udr(models, method=method)
    np.testing.assert_allclose(udr(with_constant, method=method), expected)
    with_noise = [np.c_[z, rng.normal(size=len(z))] for z in models]
    kls = [np.array([1.0, 2, 3, 1, 0.001])] * 3
    np.testing.assert_allclose(udr(with_noise, kls, method=method), expected)
    assert np.all(udr([np.zeros((50, 3))] * 3, method=method) == 0)
    assert udr([*models, np.ones((400, 2))], method=method)[-1] == 0


def test_udr_by_spearman_uses_scipys_correlation():
    rng = np.random.default_rng(2)
    a, b = rng.integers(5, size=(2, 100, 2)).astype(float)
    relation = np.abs(scipy.stats.spearmanr(a, b).statistic[:2, 2:])
    np.testing.assert_allclose(udr([a, b]), pair_score(relation))


def test_udr_refuses_a_single_model():
    with pytest.raises(ValueError, match="two or more"):
        udr([np.zeros((5, 2))])


# Distance to orthogonality


def orthogonal_jacobians(rng, n=5, pixels=30, d=4):
    """Jacobians with orthogonal columns of different lengths."""
    q = np.linalg.qr(rng.normal(size=(n, pixels, d)))[0]
    return q * np.arange(1, d + 1)


@strict
def test_orthogonal_columns_have_distance_0_and_a_rotation_raises_it():
    rng = np.random.default_rng(0)
    j = orthogonal_jacobians(rng)
    assert distance_to_orthogonality(j) == pytest.approx(0, abs=1e-6)
    basis = bases.haar(1, 4, rng)[0]
    rotated = distance_to_orthogonality(j @ basis)
    assert 0.5 < rotated < np.sqrt(8)
    turned = np.swapaxes(basis, 0, 1) @ right_singular_vectors(j)
    assert distances_to_signed_permutations(turned).mean() == pytest.approx(rotated)


@strict
@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_distance_is_invariant_under_permutation_sign_and_one_scale(seed):
    rng = np.random.default_rng(seed)
    j = rng.normal(size=(3, 12, 4))
    moved = 7 * j @ bases.signed_permutation(1, 4, rng)[0]
    assert distance_to_orthogonality(moved) == pytest.approx(distance_to_orthogonality(j))


def test_distance_of_a_plane_rotation_in_closed_form():
    angle = 0.3
    v = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = np.sqrt(4 - 4 * np.cos(angle))
    assert distances_to_signed_permutations(v[None])[0] == pytest.approx(expected)


def test_random_directions_in_5_dimensions_have_the_documented_distance():
    v = bases.haar(2000, 5, np.random.default_rng(0))
    assert distances_to_signed_permutations(v).mean() == pytest.approx(1.63, abs=0.02)


@strict
def test_dead_latents_and_a_constant_decoder_contribute_nothing():
    rng = np.random.default_rng(1)
    j = rng.normal(size=(4, 20, 3))
    with_dead = np.insert(j, [0, 2], 0.0, axis=2)
    assert distance_to_orthogonality(with_dead) == pytest.approx(distance_to_orthogonality(j))
    v = right_singular_vectors(with_dead)
    np.testing.assert_allclose(np.swapaxes(v, 1, 2) @ v, np.tile(np.eye(5), (4, 1, 1)), atol=1e-12)
    assert distance_to_orthogonality(np.zeros((2, 20, 3))) == 0
    assert np.isfinite(distance_to_orthogonality(rng.normal(size=(2, 3, 5))))  # wide


def test_jacobians_are_those_of_the_decoder(tensorflow):
    import keras

    rng = np.random.default_rng(0)
    latents = rng.normal(size=(7, 3))
    a = rng.normal(size=(3, 6)).astype(np.float32)
    found = jacobians(lambda z: tensorflow.sin(z @ a), latents, batch_size=3)
    expected = np.cos(latents @ a)[:, :, None] * a.T
    np.testing.assert_allclose(found, expected, atol=1e-5)

    decoder = keras.Sequential(
        [
            keras.layers.Dense(4 * 4 * 2, activation="tanh"),
            keras.layers.Reshape((4, 4, 2)),
            keras.layers.Conv2DTranspose(1, 4, 2, "same", activation="sigmoid"),
        ]
    )
    found = jacobians(decoder, latents)
    assert found.shape == (7, 64, 3)
    points = tensorflow.constant(latents, tensorflow.float32)
    with tensorflow.GradientTape() as tape:
        tape.watch(points)
        images = tensorflow.reshape(decoder(points), [7, -1])
    expected = tape.batch_jacobian(images, points).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


# DCI-ES


def test_explicitness_of_curves_by_hand():
    capacities = np.arange(5.0)
    losses = np.array(
        [
            [0.2, 0.2, 0.3, 0.2, 0.2],  # the weakest probe is as good as any
            [1.0, 0.8, 0.6, 0.4, 0.2],  # the triangle
            [1.0, 1.0, 1.0, 1.0, 0.2],  # only the strongest probe reads it
            [1.0, 0.995, 1.0, 1.2, 1.3],  # nothing to read
            [0.6, 0.2, 0.9, 1.5, 0.2],  # what is lost again does not count
        ]
    )
    found = explicitness(losses, np.ones(5), capacities)
    np.testing.assert_allclose(found, [1, 0, -0.75, 0, 1 - 0.2 / 1.6], atol=1e-12)


@strict
def test_dci_es_falls_as_the_code_gets_harder_to_read():
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(600, 2))
    plain = (factors - 1.5 + 0.1 * rng.normal(size=factors.shape)) / 1.1
    # Which of two halves of the second latent holds a value is known from the first alone.
    flips = rng.choice([-1.0, 1.0], size=(600, 1))
    hidden = np.c_[plain * flips, flips[:, 0]]
    easy, hard, noise = (
        dci_es(z[:400], factors[:400], z[400:], factors[400:], num_draws=2)
        for z in (plain, hidden, rng.normal(size=(600, 2)))
    )
    assert easy.explicitness > hard.explicitness + 0.1
    assert noise.explicitness == pytest.approx(0, abs=0.05)
    assert easy.size == 1
    assert hard.size == pytest.approx(2 / 3)
    assert easy.losses.shape == (2, 5)
    assert np.all(easy.losses.min(axis=1) < easy.baselines / 2)


@strict
def test_dci_es_bears_scales_constants_and_missing_values():
    rng = np.random.default_rng(1)
    factors = rng.integers(3, size=(150, 2))
    latents = factors + 0.2 * rng.normal(size=factors.shape)
    factors[120, 0] = 7  # not in training

    def score(z):
        return dci_es(z[:100], factors[:100], z[100:], factors[100:], num_draws=1)

    plain = score(latents)
    scaled = score(latents * [3.0, 0.2])
    assert scaled.explicitness == pytest.approx(plain.explicitness, abs=1e-3)
    with_constant = score(np.c_[latents, np.full(150, 0.1)])
    assert with_constant.explicitness == pytest.approx(plain.explicitness, abs=1e-9)
    assert with_constant.size == pytest.approx(2 / 3)
    constant = score(np.full((150, 2), 0.1))
    assert constant.explicitness == 0
    assert np.isfinite(constant.losses).all()
