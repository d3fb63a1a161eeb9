"""Active latents are told by the largest variance, and what is left out is said."""

from __future__ import annotations

import numpy as np
import pytest
from definitions import mig

from reproduce.basis import assessment, representation
from reproduce.basis.representation import Representation
from reproduce.reporting import page, seed_results, seed_verdicts

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(4, size=(600, 3))
LATENTS = FACTORS + 0.1 * RNG.normal(size=FACTORS.shape)


def of(latents, **changes):
    return Representation(latents, FACTORS, tuple("abc"), (4,) * 3, **changes)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e9])
def test_one_scale_for_all_changes_nothing(scale):
    tested = of(LATENTS * scale)
    assert list(tested.active()) == [0, 1, 2]
    assert tested.left_out() == ""
    frame = assessment.assess(tested, assessment.Plan(["haar_active"], ["mig"], 9)).table
    assert frame["observed"].item() == pytest.approx(mig(LATENTS, FACTORS), abs=1e-6)


def test_a_share_of_the_largest_variance_decides():
    variances = LATENTS.var(axis=0)
    scales = np.sqrt(np.array([1, 0.011, 0.009]) * variances[0] / variances)
    tested = of(LATENTS * scales)
    assert list(tested.active()) == [0, 1]
    assert "1 of 3 latents are not active" in tested.left_out()
    assert "at most 0.01 of the largest): 2, counted from 0" in tested.left_out()


def test_a_posterior_decides_by_its_kl_where_there_is_one():
    log_variance = np.tile(np.log([0.1, 0.1, 1.0]), (600, 1))
    latents = LATENTS.copy()
    latents[:, 2] *= 1e-3
    tested = of(latents, log_variance=log_variance)
    assert list(tested.active()) == [0, 1]
    assert "marginal KL of at most 0.1 nat" in tested.left_out()


def test_a_mean_that_moves_by_rounding_alone_is_not_active():
    latents = LATENTS.copy()
    latents[:, 2] = 3.7
    latents[::2, 2] *= 1 + 3e-16
    log_variance = np.tile(np.log([0.1, 0.1, 0.1]), (600, 1))
    assert list(of(latents, log_variance=log_variance).active()) == [0, 1]
    assert list(of(latents).active()) == [0, 1]


def test_the_console_and_the_page_say_what_was_left_out(run_program, tmp_path):
    tested = of(LATENTS * [1, 1, 0.05])
    representation.save(tmp_path / "r.npz", tested)
    flags = [f"--representation={tmp_path}/r.npz", f"--output={tmp_path}/b.csv", "--num_bases=9"]
    flags += [f"--report={tmp_path}/r.html", "--families=haar,haar_active"]
    done = run_program("basis_test", *flags)
    assert done.returncode == 0
    said = representation.load(tmp_path / "r.npz").left_out()
    assert f"basis_test: {said}\n" in done.stderr
    assert said in (tmp_path / "r.html").read_text()


def test_a_page_names_nothing_where_all_are_active():
    found = assessment.assess(of(LATENTS), assessment.Plan(["haar", "haar_active"], ["mig"], 9))
    result = seed_results.SeedResult("mine", "", 0, of(LATENTS), found.table, found.nulls)
    table, contrasts = seed_verdicts.judge([result], seed=0)
    assert "not active" not in page.render([result], table, contrasts)
