"""Dictionaries: their gradient, planted ones that are known, and what is frozen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from reproduce.mechanisms import korznikov_dictionaries as dictionaries
from reproduce.mechanisms.korznikov_dictionaries import Dictionary

SETTINGS = dataclasses.replace(dictionaries.PROFILES["smoke"], num_points=2_000)


def test_gradient_is_that_of_the_mean_squared_error():
    rng = np.random.default_rng(0)
    encoder, bias = rng.normal(size=(4, 6)), rng.normal(size=6)
    directions = dictionaries.unit_rows(rng, 6, 4)
    points = rng.normal(size=(20, 4))

    def error(x: np.ndarray) -> float:
        one = Dictionary(x[:24].reshape(4, 6), x[24:30], x[30:].reshape(6, 4), 2)
        return float(np.sum((points - one.encode(points) @ one.directions) ** 2) / 20)

    x = np.concatenate([encoder.ravel(), bias, directions.ravel()])
    slopes = dictionaries.gradient(Dictionary(encoder, bias, directions, 2), points)
    found = np.concatenate([slope.ravel() for slope in slopes])
    np.testing.assert_allclose(found, scipy.optimize.approx_fprime(x, error, 1e-7), atol=1e-4)


def test_orthogonal_features_are_recovered_in_full_by_themselves():
    # With orthogonal features the true dictionary tells each exactly: z is the coefficients, but
    # for points with more than k of them.
    features = np.eye(8)
    settings = dataclasses.replace(SETTINGS, num_features=8, num_active=1)
    true = Dictionary(features, np.zeros(8), features, 8)
    found = dictionaries.scores(true, features, settings, np.random.default_rng(1))
    assert found == pytest.approx({"explained_variance": 1, "recovered_features": 1, "probing": 1})


def test_correlations_are_those_of_scipy_and_none_for_dead_latents():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(50, 2)), rng.normal(size=(50, 3))
    b[:, 2] = 0
    found = dictionaries._correlations(a, b)
    for i in range(2):
        for j in range(2):
            assert found[i, j] == pytest.approx(scipy.stats.pearsonr(a[:, i], b[:, j])[0])
    assert not found[:, 2].any()


def test_no_more_than_k_latents_are_active():
    rng = np.random.default_rng(3)
    one = Dictionary(rng.normal(size=(4, 9)), np.zeros(9), dictionaries.unit_rows(rng, 9, 4), 3)
    z = one.encode(rng.normal(size=(100, 4)))
    assert (z > 0).sum(axis=1).max() == 3
    assert z.min() == 0


@pytest.mark.parametrize("arm", dictionaries.ARMS)
def test_training_moves_what_is_not_frozen_and_lowers_the_error(arm):
    rng = np.random.default_rng(4)
    features = dictionaries.unit_rows(rng, 16, 8)
    ends = {}
    for steps in (0, 300):
        settings = dataclasses.replace(SETTINGS, num_steps=steps)
        one = dictionaries.train(features, settings, arm, np.random.default_rng(5))
        ends[steps] = one, dictionaries.scores(one, features, settings, np.random.default_rng(6))
    (before, start), (after, end) = ends.values()
    assert (before.directions == after.directions).all() == (arm == "frozen directions")
    assert (before.encoder == after.encoder).all() == (arm == "frozen encoder")
    assert np.allclose(np.linalg.norm(after.directions, axis=1), 1)
    assert end["explained_variance"] > start["explained_variance"]


def test_summaries_follow_from_the_numbers():
    found = {
        arm: {
            name: dict(enumerate(np.array([0.0, 0.01, 0.02]) + value))
            for name, value in zip(
                ("explained_variance", "recovered_features", "probing"), values, strict=True
            )
        }
        for arm, values in zip(
            dictionaries.ARMS, ((0.8, 0.1, 0.7), (0.6, 0.0, 0.5), (0.6, 0.0, 0.5)), strict=True
        )
    }
    rows = dictionaries._summaries(found)
    assert [row["holds"] for row in rows] == [True, False]
    assert rows[1]["p_value"] == pytest.approx(0.05)
    found["trained"]["recovered_features"] = {0: 0.9, 1: 0.9, 2: 0.9}
    found["frozen directions"]["probing"] = dict(found["trained"]["probing"])
    assert [row["holds"] for row in dictionaries._summaries(found)] == [False, True]
