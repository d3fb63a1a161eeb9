"""InfoVAE's discrepancy against a direct double sum."""

from __future__ import annotations

import numpy as np
import pytest

from models.objectives import info_vae

pytestmark = pytest.mark.usefixtures("tensorflow")


def test_the_discrepancy_is_a_double_sum():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(5, 3)), rng.normal(1, 2, size=(7, 3))

    def mean_kernel(a, b):
        kernels = [np.exp(-np.sum((x - y) ** 2) / 9) for x in a for y in b]
        return np.sum(kernels) / (len(a) * len(b))

    expected = mean_kernel(first, first) + mean_kernel(second, second)
    expected -= 2 * mean_kernel(first, second)
    found = info_vae.squared_mmd(first.astype(np.float32), second.astype(np.float32))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_points_do_not_differ_from_themselves_and_draws_of_one_law_little():
    rng = np.random.default_rng(0)
    first, second, moved = rng.normal(size=(3, 500, 2)).astype(np.float32)
    assert float(info_vae.squared_mmd(first, first[::-1].copy())) == pytest.approx(0, abs=1e-6)
    of_one_law = float(info_vae.squared_mmd(first, second))
    assert 0 <= of_one_law < 0.1 * float(info_vae.squared_mmd(first, moved + 1))
