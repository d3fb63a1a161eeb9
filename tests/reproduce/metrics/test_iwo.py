"""IWO and IWR: the authors' figures, worked examples, autodiff by differences, and invariance."""

import numpy as np
import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.basis import bases
from reproduce.metrics import nested_networks, registry
from reproduce.metrics.iwo import importances, iwo, orthogonality, rank
from reproduce.metrics.nested_networks import Task

SEEDS = st.integers(0, 2**32 - 1)
NAMES = ("latents", "factors")


@pytest.mark.parametrize(
    "kind",
    [
        "aligned",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("dead", "mixed", "noise", "rotated")),
    ],
)
def test_it_meets_its_recorded_figures(kind):
    arrays = recorded.load(f"small_{kind}")
    expected = recorded.load(f"small_{kind}", "oracle_more")
    parts = [arrays[f"{name}_{split}"] for split in ("train", "test") for name in NAMES]
    overlap, spread = iwo(*parts, categorical=(0,))
    assert spread == pytest.approx(float(expected["expected_iwr_mean"]), abs=0.02)
    # How far directions lean into dead latents is chance, by which IWO of one seed and another
    # differ by .1.
    tolerance = 0.15 if kind == "dead" else 0.02
    assert overlap == pytest.approx(float(expected["expected_iwo_mean"]), abs=tolerance)


def test_importances_and_scores_of_a_worked_example():
    first, second = importances([0.1, 0.1, 0.2, 0.6], 1), importances([0.05, 0.3, 0.3, 0.5], 5 / 6)
    assert first == pytest.approx([0.425, 0.425, 0.125, 0.025])
    assert second == pytest.approx([0.415, 0.255, 0.015, 0.315])
    turned = [
        [0.433013, 0.25, 0, 0.866025],
        [-0.75, -0.433013, 0, 0.5],
        [0, 0, 1, 0],
        [-0.5, 0.866025, 0, 0],
    ]
    assert rank(first) == pytest.approx(0.221617, abs=1e-6)
    assert rank(second) == pytest.approx(0.177724, abs=1e-6)
    found = orthogonality(np.eye(4), first, np.array(turned), second)
    assert found == pytest.approx(0.142560, abs=1e-5)


def test_importances_where_nothing_is_told_and_where_the_last_network_is_worst():
    assert importances([1.2, 1.0, 1.1], 1) == pytest.approx([1 / 3] * 3)
    assert importances([0.5, 0.0], 1) == pytest.approx([1, 0])  # more latents than one do harm
    assert importances([0.0, 0.0], 0) == pytest.approx([0.5, 0.5])  # a constant factor
    assert rank(np.ones(1)) == 1


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_no_rotation_changes_what_follows_from_networks(seed):
    rng = np.random.default_rng(seed)
    networks = nested_networks.zeros(4, 1, float)
    nested_networks.initialise(networks, rng)
    seen = nested_networks.projections(networks)
    basis, other, turn = nested_networks.directions(seen), *bases.haar(2, 4, rng)
    # A network that sees P of z sees P Q of Q'z, and drops the same directions, rotated.
    rotated = nested_networks.directions(seen @ turn)
    np.testing.assert_allclose(np.abs(np.sum(rotated * (basis @ turn), axis=1)), 1)
    weights = rng.dirichlet(np.ones(4), size=2)
    before = orthogonality(basis, weights[0], other, weights[1])
    after = orthogonality(rotated, weights[0], other @ turn, weights[1])
    assert after == pytest.approx(before, abs=1e-9)
    assert -1e-9 <= before <= 1
    same = orthogonality(basis, weights[0], basis, weights[0])
    assert same == pytest.approx(0, abs=1e-9)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_each_network_sees_one_direction_less(seed):
    rng = np.random.default_rng(seed)
    basis = bases.haar(1, 5, rng)[0]
    seen = np.zeros((5, 5, 5))
    for level in range(5):
        seen[level, : 5 - level] = rng.normal(size=(5 - level, 5 - level)) @ basis[: 5 - level]
    found = nested_networks.directions(seen)
    np.testing.assert_allclose(np.abs(np.sum(found * basis, axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(found @ found.T, np.eye(5), atol=1e-6)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_gradients_are_those_of_differences(num_classes):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(7, 3))
    targets = rng.integers(3, size=7) if num_classes else rng.normal(size=7)
    task = Task(latents, targets, num_classes)
    networks, gradients, unused = (
        nested_networks.zeros(3, num_classes or 1, float) for _ in range(3)
    )
    nested_networks.initialise(networks, rng)
    nested_networks.loss(networks, task, gradients)
    start = networks.vector.copy()
    # Along each part by itself, for the first layers have nearly all parameters.
    for own, gradient in zip(all_parts(networks), all_parts(gradients), strict=True):
        moved = []
        for step in (1e-6, -1e-6):
            networks.vector[...] = start
            own += step * gradient
            moved.append(nested_networks.loss(networks, task, unused))
        slope = (moved[0] - moved[1]) / 2e-6
        assert slope == pytest.approx(np.sum(gradient**2), rel=1e-4)


def all_parts(networks):
    """Weights and biases of the layers, and the maps between networks."""
    return [*(part for layer in networks.layers for part in layer), *networks.maps]


def planted(n=256):
    """Two factors in three latents, each in one direction of its own."""
    rng = np.random.default_rng(1)
    factors = rng.integers(16, size=(n, 2))
    latents = np.c_[(factors - 7.5) / 4.6, rng.normal(size=n)] + 0.05 * rng.normal(size=(n, 3))
    return latents, factors


def test_rotation_shift_and_one_scale_change_nothing_but_chance():
    latents, factors = planted()
    turned = 3 * latents @ bases.haar(1, 3, np.random.default_rng(2))[0] + 100
    as_is, moved = (iwo(z, factors, z, factors, epochs=80) for z in (latents, turned))
    assert moved == pytest.approx(as_is, abs=0.04)
    assert min(as_is) > 0.15  # halfway through training


def test_the_registry_has_no_p_value_for_it():
    row = registry.METRICS["iwo"]
    assert row.columns == ("iwo_orthogonality", "iwo_rank")
    assert all(registry.is_invariant(column) for column in row.columns)
    assert row.seconds(10, np.zeros((10_000, 5), int), 1) > 60  # the user is told of minutes


def test_one_latent_one_factor_and_constants_are_borne():
    latents, factors = planted(40)
    for z, g in ((latents[:, :1], factors), (latents, factors[:, :1]), (0 * latents, factors)):
        assert np.isfinite(iwo(z, g, z, g, categorical=(0,))).all()
    told_alike = iwo(latents, 0 * factors, latents, 0 * factors)
    assert told_alike == pytest.approx((0, 0), abs=1e-3)
