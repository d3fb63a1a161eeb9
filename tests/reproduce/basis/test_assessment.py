"""The basis test: powerful on aligned latents, and as recorded; of its level: test_calibration."""

import numpy as np
import pandas as pd
import pytest

from data.files import InputError
from reproduce.api import assess_basis
from reproduce.basis import assessment, bases, representation
from reproduce.basis.representation import Representation


def aligned(rng, n=1_500, d=4):
    """Latents that are the factors, with noise: as special as a basis can be."""
    factors = rng.integers(6, size=(n, d))
    latents = (factors - 2.5) / 1.7 + 0.3 * rng.normal(size=(n, d))
    return Representation(latents, factors, tuple("abcd"[:d]), (6,) * d)


def assess(tested, families, num_bases, seed=0, metrics=("mig",)):
    return assessment.assess(tested, assessment.Plan(families, metrics, num_bases, seed=seed))


def rotated(tested, basis):
    latents = tested.latents @ basis
    return Representation(latents, tested.factors, tested.factor_names, tested.factor_sizes)


@pytest.mark.parametrize("family", ["haar", "haar_active"])
def test_aligned_latents_are_special(family):
    frame = assess(aligned(np.random.default_rng(1)), [family], 999, seed=0).table
    assert frame["p_value"].item() == 1 / 1000
    assert frame["observed"].item() > frame["null_max"].item()


@pytest.mark.parametrize(
    ("name", "observed", "null_mean", "null_sd"),
    [("dsprites_vae", 0.102, 0.025, 0.012), ("dsprites_annealed_vae", 0.335, 0.088, 0.043)],
)
def test_published_representations_are_special(shared, name, observed, null_mean, null_sd):
    tested = representation.load(shared / "representations" / f"{name}.npz")
    frame = assess(tested, ["haar_active"], 1_999, seed=0).table
    row = frame.iloc[0]
    assert row["observed"] == pytest.approx(observed, abs=0.003)
    assert row["p_value"] < 0.001
    # Recorded from 3,000 other draws: both means carry an error of SD / sqrt(draws).
    assert row["null_mean"] == pytest.approx(null_mean, abs=0.003)
    assert row["null_sd"] == pytest.approx(null_sd, abs=0.003)


def test_the_annealed_vae_has_four_active_latents(shared):
    tested = representation.load(shared / "representations" / "dsprites_annealed_vae.npz")
    assert len(tested.active()) == 4


def test_controls_and_references_have_no_p_value():
    families = ["signed_permutation", "pca", "ica", "geodesic"]
    found = assess(aligned(np.random.default_rng(2)), families, 50)
    frame, nulls = found.table, found.nulls
    assert frame["p_value"].isna().all()
    assert assessment.control_drifts(frame, nulls)["mig"] < assessment.CONTROL_TOLERANCE
    assert list(frame.columns) == list(assessment.COLUMNS)


def test_the_dose_response_starts_at_the_learned_basis_and_falls():
    frame = assess(aligned(np.random.default_rng(3)), ["geodesic"], 60, seed=0).table
    assert list(frame["t"]) == list(bases.GEODESIC_TIMES)
    assert frame["null_mean"].iloc[0] == pytest.approx(frame["observed"].iloc[0])
    assert frame["null_sd"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert np.all(np.diff(frame["null_mean"].iloc[:5]) < 0)


def test_pca_of_uncorrelated_axes_with_distinct_variances_finds_them():
    rng = np.random.default_rng(4)
    tested = aligned(rng, n=20_000, d=3)
    stretched = rotated(tested, np.diag([3.0, 2.0, 1.0]) @ bases.haar(1, 3, rng)[0])
    frame = assess(stretched, ["pca", "ica"], 1, seed=0).table
    learned = assess(tested, ["haar"], 1, seed=0).table
    for value in frame["observed"]:
        assert value == pytest.approx(learned["observed"].item(), abs=0.05)


def test_a_family_draws_the_same_bases_whichever_others_are_asked_for():
    tested = aligned(np.random.default_rng(5))
    alone = assess(tested, ["haar"], 50, seed=7).table
    together = assess(tested, ["haar_active", "haar"], 50, seed=7).table
    theirs = together[together["family"] == "haar"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, theirs)


def test_one_active_latent_leaves_nothing_to_rotate():
    tested = aligned(np.random.default_rng(6))
    tested.latents[:, 1:] *= 1e-3
    with pytest.raises(InputError, match="1 of 4 latents"):
        assess(tested, ["haar_active"], 10)


def test_active_latents_follow_the_marginal_kl():
    rng = np.random.default_rng(7)
    latents = np.stack([rng.normal(size=1000), 0.01 * rng.normal(size=1000)], axis=1)
    log_variance = np.log(np.tile([0.1, 1.0], (1000, 1)))
    tested = Representation(latents, np.zeros((1000, 1), int), ("a",), (2,), log_variance)
    assert list(tested.active()) == [0]
    # KL(N(m, s) || N(0, 1)) = (m^2 + s - 1 - log s) / 2, with E m^2 = 1.
    assert tested.marginal_kl()[0] == pytest.approx((1 + 0.1 - 1 - np.log(0.1)) / 2, abs=0.1)


def test_the_api_gives_the_programs_numbers():
    tested = aligned(np.random.default_rng(8))
    frame = assess_basis(tested.latents, tested.factors, num_bases=99, seed=3)
    expected = assess(tested, ["haar_active", "haar"], 99, seed=3).table
    pd.testing.assert_frame_equal(frame, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latents": np.full((20, 2), np.nan)}, "not finite"),
        ({"latents": np.zeros((19, 2))}, "expected one row for each of 19"),
        ({"latents": np.zeros(20)}, r"expected float \[n, d\]"),
        ({"latents": np.zeros((20, 1))}, "1 latents"),
        ({"factors": np.zeros((20, 1), int)}, "'size' is constant"),
        ({"factors": np.arange(20)[:, None] % 3}, "from 0 to 2"),
        ({"factor_names": np.array(["a", "b"])}, "2 factor_names"),
        ({"log_variance": np.zeros((20, 3))}, "log_variance are"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change, message):
    arrays = {
        "latents": np.random.default_rng(9).normal(size=(20, 2)),
        "factors": np.arange(20)[:, None] % 2,
        "factor_names": np.array(["size"]),
        "factor_sizes": np.array([2]),
    }
    with pytest.raises(InputError, match=message):
        representation.from_arrays(arrays | change)
