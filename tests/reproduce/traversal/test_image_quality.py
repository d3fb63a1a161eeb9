"""What is read from images, against values worked out by hand and uniform draws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from reproduce.traversal import image_quality, predicted_factors

FACTORS = predicted_factors.Factors(
    ("kind", "size", "turn"),
    ("categorical", "ordered", "angle"),
    (3, 5, 9),
    (4, 2, 1),
    (3, 1, 6),
    (1.0, 1.0, 1.0),
)


def predictions(kinds, sizes, turns):
    """Predicted factors that say this: classes, class indices, and angles in full turns."""
    orders = np.array(FACTORS.symmetries)
    angles = 2 * np.pi * np.asarray(turns)[:, None] * orders
    circles = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(kinds), -1)
    return np.concatenate([np.eye(3)[kinds], np.asarray(sizes, float)[:, None], circles], axis=1)


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=n) for size in (3, 5, 9)], axis=1)


def test_what_is_read_without_error_has_skill_one():
    truth = drawn(200)
    read = predictions(truth[:, 0], truth[:, 1], truth[:, 2] / 8)
    found = image_quality.skill(FACTORS, read, truth)
    assert found == pytest.approx({"kind": 1, "size": 1, "turn": 1})
    # A quarter turn of what looks alike after a quarter turn is no error.
    square = np.zeros((4, 3), int)
    read = predictions([0] * 4, [0, 1, 2, 3], [0, 0.25, 0.5, 0.75])
    square[:, 1] = [0, 1, 2, 3]
    assert image_quality.skill(FACTORS, read, square)["turn"] == pytest.approx(1)


def test_skill_is_what_scikit_learn_says():
    truth = drawn(500)
    rng = np.random.default_rng(1)
    kinds = np.where(rng.random(500) < 0.4, rng.integers(3, size=500), truth[:, 0])
    sizes = truth[:, 1] + rng.normal(size=500)
    found = image_quality.skill(FACTORS, predictions(kinds, sizes, truth[:, 2] / 8), truth)
    balanced = sklearn_metrics.balanced_accuracy_score(truth[:, 0], kinds, adjusted=True)
    assert found["kind"] == pytest.approx(balanced)
    assert found["size"] == pytest.approx(sklearn_metrics.r2_score(truth[:, 1], sizes))


def test_guesses_have_no_skill():
    truth, guess = drawn(4_000), drawn(4_000, 1)
    read = predictions(guess[:, 0], np.full(4_000, truth[:, 1].mean()), guess[:, 2] / 9)
    assert image_quality.skill(FACTORS, read, truth) == pytest.approx(
        {"kind": 0, "size": 0, "turn": 0}, abs=0.05
    )


def test_distances_count_what_is_missing():
    truth = drawn(5_000)
    every = predictions(truth[:, 0], truth[:, 1], truth[:, 2] / 9)
    assert image_quality.distances(FACTORS, every, every) == {"kind": 0, "size": 0, "turn": 0}
    without = every[truth[:, 0] != 2]  # a third of the images, all of one kind
    found = image_quality.distances(FACTORS, without, every)
    assert found["kind"] == pytest.approx((truth[:, 0] == 2).mean())
    assert found["size"] < 0.03
    outside = predictions([0, 0], [-7.0, 99.0], [0.0, 0.0])
    assert image_quality.distances(FACTORS, outside, every)["size"] == pytest.approx(0.6, abs=0.03)
