"""The nonnegative autoencoder: closed forms of its margin and its energy, and planted corners."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.optimize

from reproduce.mechanisms import dorrell_range

SQUARE = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
CROSS = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
SETTINGS = dataclasses.replace(dorrell_range.PROFILES["smoke"], num_starts=2)


def test_margin_of_a_square_is_none_and_of_a_cross_minus_a_half():
    # h = |u1| + |u2| of a square, whose h^2 is at least 1 = |u|^2; of a cross h is the larger one.
    assert dorrell_range.margin(SQUARE, 360) == pytest.approx(0, abs=1e-12)
    assert dorrell_range.margin(CROSS, 360) == pytest.approx(-0.5)


@pytest.mark.parametrize("correlation", [-0.9, -0.5, 0.5, 0.9])
def test_dependence_alone_mixes_nothing_where_all_corners_are_there(correlation):
    # The corners of a square, those of one diagonal more often: h is the same, and
    # h^2 - 1 + 2 u1 u2 C12 = 2 |u1 u2| + 2 u1 u2 C12 is never below 0.
    often = round(100 * (1 + correlation))
    points = np.concatenate(
        [np.repeat(SQUARE[[0, 3]], often, axis=0), np.repeat(SQUARE[[1, 2]], 200 - often, axis=0)]
    )
    assert np.mean(points[:, 0] * points[:, 1]) == pytest.approx(correlation)
    assert dorrell_range.margin(points, 360) == pytest.approx(0, abs=1e-12)


def test_gradient_is_that_of_the_energy():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 2))
    centred = points - points.mean(axis=0)
    w = rng.normal(size=(3, 2))

    def value(x: np.ndarray) -> float:
        return dorrell_range.energy(x.reshape(3, 2), centred, 0.3)[0]

    slope = dorrell_range.energy(w, centred, 0.3)[1].ravel()
    numeric = scipy.optimize.approx_fprime(w.ravel(), value, 1e-7)
    np.testing.assert_allclose(slope, numeric, rtol=1e-4)


def test_energy_is_that_of_activities_biases_and_the_least_readout():
    rng = np.random.default_rng(1)
    centred = rng.normal(size=(50, 2))
    centred -= centred.mean(axis=0)
    w = rng.normal(size=(4, 2))
    activities = centred @ w.T
    activities -= activities.min(axis=0)
    expected = np.mean(np.sum(activities**2, axis=1))
    expected += 0.3 * (np.sum(w**2) + np.sum(np.linalg.pinv(w) ** 2))
    assert dorrell_range.energy(w, centred, 0.3)[0] == pytest.approx(expected)


def modular_energy(points: np.ndarray, weight: float) -> float:
    """A neuron's energy is a w^2, and a source's readout costs l / w^2: 2 sqrt(a l) at the best."""
    centred = points - points.mean(axis=0)
    bias = np.minimum(centred.max(axis=0), -centred.min(axis=0))
    return float(np.sum(2 * np.sqrt(weight * (centred.var(axis=0) + bias**2 + weight))))


def test_one_corner_decides_where_training_ends():
    rng = np.random.default_rng(2)
    points = dorrell_range.sources(40, None, rng)
    assert len(points) == 44
    assert np.all(np.abs(points[:40]).sum(axis=1) <= 1)
    w = dorrell_range.train(points, SETTINGS, rng)
    centred = points - points.mean(axis=0)
    best = modular_energy(points, SETTINGS.weight)
    assert dorrell_range.margin(points, 360) >= -1e-12
    assert dorrell_range.energy(w, centred, SETTINGS.weight)[0] == pytest.approx(best, rel=1e-4)
    assert dorrell_range.modularity(w) > 0.999

    without = points[:-1]
    w = dorrell_range.train(without, SETTINGS, rng)
    centred = without - without.mean(axis=0)
    assert dorrell_range.margin(without, 360) < -0.1
    assert dorrell_range.energy(w, centred, SETTINGS.weight)[0] < 0.999 * modular_energy(
        without, SETTINGS.weight
    )
    assert dorrell_range.modularity(w) < 0.999


def test_summaries_follow_from_margins_and_modularities():
    found = {
        "all corners": {"margin": [0.0, 0.0], "modularity": [1.0, 1.0]},
        "without (+1, +1)": {"margin": [-0.5, -0.4], "modularity": [0.96, 0.97]},
    }
    rows = dorrell_range._summaries(found)
    assert [row["holds"] for row in rows] == [True, True]
    found["without (+1, +1)"] = {"margin": [-0.5, 0.0], "modularity": [0.96, 1.0]}
    rows = dorrell_range._summaries(found)
    assert [row["holds"] for row in rows] == [False, False]
    assert "1 of 2 cases are mixed" in rows[1]["sentence"]
