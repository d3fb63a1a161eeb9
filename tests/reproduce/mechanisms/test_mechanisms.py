"""The literature's experiments: each measure against a case whose answer is known otherwise."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats

from data import dsprites
from reproduce.basis import bases
from reproduce.basis.representation import Representation
from reproduce.mechanisms import (
    bau_geodesic,
    classifier,
    likelihood,
    linear_vae,
    results,
    rolinek_table,
    szegedy,
    zietlow,
)
from reproduce.mechanisms.linear_vae import ARMS, LinearModels
from reproduce.mechanisms.results import Published
from reproduce.metrics import information
from reproduce.metrics.mig import mig

# The linear toy.


def some_models(arm: str, rng: np.random.Generator) -> tuple[LinearModels, np.ndarray]:
    """Three models in four dimensions at random weights, with covariances of data."""
    scale = np.tril(rng.normal(0, 0.3, (3, 2, 2)), 0 if arm == "full_covariance" else -1)
    if arm != "full_covariance":
        scale = rng.normal(0, 0.3, (3, 2, 1)) * np.eye(2)
    models = LinearModels(rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 4, 2)), scale)
    roots = rng.normal(size=(3, 4, 4))
    return models, roots @ np.swapaxes(roots, 1, 2) / 4


@pytest.mark.parametrize("arm", ARMS)
def test_toy_gradient_is_that_of_its_loss(arm):
    models, covariance = some_models(arm, np.random.default_rng(0))
    found = linear_vae.gradient(models, covariance, 0.3, arm)
    for field, slopes in zip(dataclasses.fields(LinearModels), found, strict=True):
        weights = getattr(models, field.name)
        for index in np.ndindex(weights.shape[1:]):
            if field.name == "scale" and (index[0] < index[1] or arm == "autoencoder"):
                continue
            if field.name == "scale" and index == (1, 0) and arm == "diagonal":
                assert not slopes[:, 1, 0].any()  # it stays diagonal
                continue
            step = np.zeros(weights.shape)
            step[(slice(None), *index)] = 1e-6
            up, down = (
                linear_vae.loss(
                    dataclasses.replace(models, **{field.name: weights + sign * step}),
                    covariance,
                    0.3,
                    arm,
                )
                for sign in (1, -1)
            )
            np.testing.assert_allclose(
                slopes[(slice(None), *index)], (up - down) / 2e-6, rtol=1e-5, atol=1e-6
            )


def test_toy_loss_is_the_mean_over_points_and_noise():
    rng = np.random.default_rng(1)
    models, covariance = some_models("full_covariance", rng)
    found = linear_vae.loss(models, covariance, 0.3, "full_covariance")
    for i in range(3):
        x = rng.multivariate_normal(np.zeros(4), covariance[i], 200_000)
        mean, factor = x @ models.encoder[i].T, models.factor()[i]
        z = mean + rng.normal(size=mean.shape) @ factor.T
        error = np.sum((x - z @ models.decoder[i].T) ** 2, axis=1) / (2 * 0.3)
        s = factor @ factor.T
        kl = (np.sum(mean**2, axis=1) + np.trace(s) - np.linalg.slogdet(s)[1] - 2) / 2
        assert found[i] == pytest.approx(np.mean(error + kl), rel=0.01)


def test_toy_models_reach_the_optimum_of_probabilistic_pca():
    # Tipping & Bishop 1999, eq. 7: V V^T = U (Lambda - s I) U^T. With a diagonal posterior V's
    # columns are U's at the optimum, up to lengths, order and signs.
    rng = np.random.default_rng(2)
    directions = bases.haar(3, 5, rng)
    variances = np.array([4.0, 1.0, 0, 0, 0])
    covariance = directions * variances @ np.swapaxes(directions, 1, 2)
    best = directions * np.array([3.9, 0.9, 0, 0, 0]) @ np.swapaxes(directions, 1, 2)
    training = linear_vae.Training(num_steps=5_000, learning_rate=3e-2)
    fitted = {
        arm: linear_vae.fit(covariance, 2, training, arm, rng)
        for arm in ("diagonal", "full_covariance")
    }
    for models in fitted.values():
        product = models.decoder @ np.swapaxes(models.decoder, 1, 2)
        np.testing.assert_allclose(product, best, atol=1e-6)
    apart = {
        arm: linear_vae.angles(models.decoder, directions[:, :, :2])
        for arm, models in fitted.items()
    }
    assert apart["diagonal"].max() < 0.01
    assert apart["full_covariance"].max() > 3


def test_angles_of_a_turned_plane():
    plane = np.eye(4)[:, :2]
    for turn, expected in ((0, 0), (10, 10), (50, 40), (90, 0), (180, 0)):
        cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        axes = plane @ np.array([[cos, -sin], [sin, cos]]) * [3.0, 0.2]
        found = linear_vae.angles(axes[None], plane[None])
        assert found[0] == pytest.approx(expected, abs=1e-5)


# Rolinek's table.


def test_table_compares_with_the_published_values(monkeypatch):
    settings = rolinek_table.PROFILES["quick"]
    published = rolinek_table.PUBLISHED_DTO
    shift = {"beta_vae": 0.15, "vae": -0.31}  # tolerances are .16 and .30

    def scores(settings, run):
        arm, seed = run.path.name.removeprefix("rolinek-").split("-seed")
        dto = published[arm].value + shift.get(arm, 0) + 0.01 * (int(seed) - 31)
        return {"distance_to_orthogonality": dto, "mig": 0.3 if arm == "beta_vae" else 0.1}

    monkeypatch.setattr(rolinek_table, "_scores", scores)
    frame = rolinek_table.measure(settings, Path("nowhere"))
    assert tuple(frame.columns) == results.COLUMNS
    over = frame[frame["published"].notna()].set_index("arm")
    assert over["inside"].to_dict() == {arm: arm != "vae" for arm in published}
    assert over.loc["beta_vae", "sd"] == pytest.approx(0.01)
    verdicts = frame[frame["arm"] == results.SUMMARY].set_index("measure")["holds"]
    assert verdicts.to_dict() == {
        "distance_to_orthogonality": False,
        "distance_to_orthogonality contrast": True,
        "mig order": True,
    }
    assert "VAE 0.77 against 1.08 +- 0.15" in frame["sentence"].dropna().iloc[0]


@pytest.mark.parametrize(
    ("holds", "p_value", "expected"),
    [
        (True, 0.05, "yes"),
        (False, 0.01, "no"),  # of a claim that there is no difference
        (True, 0.15, "inconclusive"),
        (True, 0.92, "inconclusive"),
        (False, 0.3, "inconclusive"),
        (False, 1.0, "no"),
        (True, float("nan"), "yes"),
        (False, float("nan"), "no"),
    ],
)
def test_what_was_tested_is_as_published_by_its_own_p(holds, p_value, expected):
    assert results.as_published(holds, p_value) == expected


def test_a_mean_is_inside_twice_the_published_spread():
    for value, inside in ((1.19, True), (1.21, False)):
        over = results.measured("a", "m", {0: value - 1, 1: value + 1}, Published(1.0, 0.1))[-1]
        assert over["inside"] == inside
        assert (over["value"], over["num_seeds"]) == (pytest.approx(value), 2)


# Zietlow's manipulation.


def test_manipulation_touches_no_sprite_and_depends_on_x_plus_y_alone():
    corners = list(itertools.product(range(3), [5], range(40), [0, 31], [0, 31]))  # the largest
    images = dsprites.render(np.array(corners))
    border = np.ones((64, 64), bool)
    border[2:-2, 2:-2] = False
    assert not images[:, border].any()
    added = zietlow.frames(np.array(corners), 0.5)
    assert not added[:, ~border].any()
    assert np.all(added[:, border] == added[:, :1, 0])
    brightness = {(x, y): value for (*_, x, y), value in zip(corners, added[:, 0, 0], strict=True)}
    assert brightness == {(0, 0): 0, (31, 0): 64, (0, 31): 64, (31, 31): 128}  # of 255


def test_prepared_data_differ_in_the_border_alone(tmp_path):
    settings = dataclasses.replace(zietlow.PROFILES["smoke"], num_images=40)
    zietlow.prepare(settings, tmp_path)
    original, manipulated = (
        np.load(tmp_path / "data" / f"{name}.npz") for name in ("original", "manipulated")
    )
    np.testing.assert_array_equal(original["factors"], manipulated["factors"])
    inner = np.s_[:, 2:-2, 2:-2]
    np.testing.assert_array_equal(255 * original["images"][inner], manipulated["images"][inner])
    assert manipulated["images"][:, 0, 0].any()


def test_turned_axes_are_told_from_aligned_ones():
    rng = np.random.default_rng(3)
    factors = rng.integers(dsprites.FACTOR_SIZES, size=(4_000, 5))
    x, y = factors[:, 3], factors[:, 4]
    rest = rng.normal(size=(4_000, 1))
    shape = dsprites.FACTOR_NAMES, dsprites.FACTOR_SIZES
    aligned = zietlow._scores(Representation(np.column_stack([x, y, rest]), factors, *shape))
    turned = zietlow._scores(Representation(np.column_stack([x + y, x - y, rest]), factors, *shape))
    assert aligned["mig_positions"] > 0.7
    assert aligned["mig_diagonals"] < 0.1
    assert turned["mig_positions"] < 0.1
    assert turned["mig_diagonals"] > 0.6
    assert aligned["r2_positions"] == pytest.approx(1) == turned["r2_positions"]
    latents = np.column_stack([x, y, rest])
    found = information.mutual_information(latents, factors)
    assert aligned["mig"] == pytest.approx(mig(found, information.entropies(factors)))


# Bau's detectors.


def naive_detectors(activations: np.ndarray, factors: np.ndarray) -> int:
    """Unique detectors, with sets."""
    n, detected = len(activations), set()
    for unit in activations.T:
        active = set(np.argsort(unit)[n - round(bau_geodesic.TOP_SHARE * n) :])
        iou = {}
        for j, column in enumerate(factors.T):
            for value in range(column.max() + 1):
                concept = set(np.flatnonzero(column == value))
                iou[j, value] = len(active & concept) / len(active | concept)
        best = max(iou, key=lambda key: iou[key])
        if iou[best] > bau_geodesic.MIN_IOU:
            detected.add(best)
    return len(detected)


def test_detectors_are_counted_as_sets_would_be():
    rng = np.random.default_rng(4)
    factors = rng.integers((3, 32, 40), size=(2_000, 3))
    for strength in (0.0, 1.0, 2.0, 4.0):
        preferred = strength * (factors[:, 1:2] == np.arange(12))
        activations = preferred + rng.normal(size=(2_000, 12))
        found = bau_geodesic.unique_detectors(activations, factors)
        assert found == naive_detectors(activations, factors)
    assert found == 12  # each unit its own value


def test_detectors_are_lost_on_the_way_to_a_random_basis():
    rng = np.random.default_rng(5)
    factors = rng.integers((32, 32), size=(4_000, 2))
    units = np.concatenate([factors[:, j : j + 1] == np.arange(32) for j in (0, 1)], axis=1)
    units = units + 0.05 * rng.normal(size=units.shape)
    counts = bau_geodesic.interpolation_curves(units, factors, (0.0, 0.25, 1.0), 3, rng)
    assert counts.shape == (3, 3)
    assert np.all(counts[:, 0] == 64)
    assert np.all(np.diff(counts, axis=1) <= 0)  # so little noise bears the first quarter turn
    assert np.all(counts[:, -1] < 64)
    dead = np.concatenate([units, np.zeros((4_000, 1))], axis=1)
    assert bau_geodesic.unique_detectors(dead, factors) == 64


# Szegedy's directions.


def test_entropies_are_those_of_scipy():
    values = np.random.default_rng(6).integers(5, size=(7, 16))
    expected = [scipy.stats.entropy(np.bincount(row)) for row in values]
    np.testing.assert_allclose(szegedy.entropies(values), expected, atol=1e-12)


def test_coherence_is_one_for_pure_units_and_none_for_noise():
    rng = np.random.default_rng(7)
    factors = rng.integers((4, 8), size=(5_000, 2))
    by_chance = szegedy.chance(factors, 16, 2_000, rng)
    assert np.all(by_chance < np.log([4, 8]))
    pure = (factors[:, :1] == np.arange(4)) + 0.1 * rng.normal(size=(5_000, 4))
    mean, largest = szegedy.coherence(pure, factors, by_chance, 16)
    assert largest == pytest.approx(1)
    assert mean == pytest.approx(0.5, abs=0.1)  # of two factors one is fixed
    mean, _ = szegedy.coherence(rng.normal(size=(5_000, 200)), factors, by_chance, 16)
    assert mean == pytest.approx(0, abs=0.02)


# Locatello's likelihood.


@pytest.fixture(scope="module")
def factor_analysis():
    """A linear Gaussian model, some data, its exact posterior and log p(x)."""
    rng = np.random.default_rng(8)
    # Orthogonal columns, so that the posterior is diagonal, as a VAE's would be.
    loadings = bases.haar(1, 6, rng)[0][:, :3] * [2.0, 1.0, 0.5]
    noise = 0.2
    x = rng.normal(size=(50, 3)) @ loadings.T + noise**0.5 * rng.normal(size=(50, 6))
    covariance = np.linalg.inv(np.eye(3) + loadings.T @ loadings / noise)
    mean = x @ loadings @ covariance / noise
    marginal = scipy.stats.multivariate_normal(None, loadings @ loadings.T + noise * np.eye(6))

    def log_likelihood(latents: np.ndarray) -> np.ndarray:
        return scipy.stats.norm.logpdf(x[:, None], latents @ loadings.T, noise**0.5).sum(axis=2)

    return log_likelihood, mean, np.tile(covariance, (50, 1, 1)), marginal.logpdf(x)


def test_estimates_are_exact_where_the_posterior_is(factor_analysis):
    log_likelihood, mean, covariance, exact = factor_analysis
    elbo, iwae = likelihood.estimates(log_likelihood, mean, covariance, 5, np.random.default_rng(0))
    np.testing.assert_allclose(elbo, exact, atol=1e-9)
    np.testing.assert_allclose(iwae, exact, atol=1e-9)
    wide = 2 * covariance  # a worse posterior: the ELBO is below, the estimate still right
    elbo, iwae = likelihood.estimates(log_likelihood, mean, wide, 5_000, np.random.default_rng(0))
    assert np.all(elbo < exact - 0.2)
    np.testing.assert_allclose(iwae, exact, atol=0.1)


def test_turned_model_keeps_its_likelihood_and_loses_its_elbo_by_the_closed_form(factor_analysis):
    log_likelihood, mean, covariance, exact = factor_analysis
    rng = np.random.default_rng(1)
    rotation = bases.haar(1, 3, rng)[0]
    found = likelihood.turned_estimates(log_likelihood, mean, covariance, rotation, 4_000, rng)
    np.testing.assert_allclose(found["iwae"], exact, atol=1e-9)
    np.testing.assert_allclose(found["elbo_full"], exact, atol=1e-9)
    # A diagonal narrower than the posterior gives single images' weights a heavy tail.
    errors = found["iwae_diagonal"] - exact
    assert abs(errors.mean()) < 4 * errors.std() / len(errors) ** 0.5
    assert abs(errors.mean()) < 0.1 * found["kl_gap"].mean()
    assert found["kl_gap"].min() > 0.1
    drop = np.mean(exact - found["elbo"])
    assert drop == pytest.approx(found["kl_gap"].mean(), rel=0.02)


def test_best_diagonal_is_what_an_optimiser_finds():
    rng = np.random.default_rng(9)
    root = rng.normal(size=(4, 4))
    covariance = root @ root.T + 0.1 * np.eye(4)

    def divergence(logs: np.ndarray) -> float:
        inverse = np.linalg.inv(covariance)
        trace = np.trace(inverse @ np.diag(np.exp(logs)))
        return (trace - 4 + np.linalg.slogdet(covariance)[1] - logs.sum()) / 2

    best = scipy.optimize.minimize(divergence, np.zeros(4))
    diagonal, gap = likelihood.best_diagonal(covariance[None])
    np.testing.assert_allclose(np.log(np.diag(diagonal[0])), best.x, atol=1e-4)
    assert gap[0] == pytest.approx(best.fun, abs=1e-6)


def test_summaries_of_the_likelihood_follow_from_the_numbers():
    rng = np.random.default_rng(10)
    base, noise = rng.normal(-100, 10, 200), 0.05 * rng.normal(size=200)
    learned = {0: {"iwae": base, "elbo": base - 1}}
    turned = {"iwae": base + noise, "elbo_full": base - 1, "elbo": base - 3}
    turned |= {"iwae_diagonal": base, "kl_gap": np.full(200, 2.0)}

    def verdicts(**changes: np.ndarray) -> list[bool]:
        rows = likelihood._rows(learned, {0: turned | changes})
        return [row["holds"] for row in rows if row["arm"] == results.SUMMARY]

    assert verdicts() == [True, True]
    assert verdicts(iwae=base + noise - 0.5) == [False, True]
    assert verdicts(elbo=base - 1 + noise) == [True, False]


# The trainings, and the program.


@pytest.mark.parametrize("scale", ["smoke", "quick", "paper"])
def test_experiments_share_trainings(scale):
    folder = Path("results")
    table = rolinek_table.chains(rolinek_table.PROFILES[scale], folder)
    turned = likelihood.chains(likelihood.PROFILES[scale], folder)
    assert len(turned) == len(likelihood.PROFILES[scale].table.seeds)
    assert {chain.steps for chain in turned} < {chain.steps for chain in table}
    units = classifier.PROFILES[scale].chains(folder)
    assert {c.steps for c in units} == {
        c.steps for c in szegedy.chains(szegedy.PROFILES[scale], folder)
    }
    # Of the arms, only the untrained one has no steps to make.
    assert sum(chain.num_steps == 0 for chain in table) * 5 == len(table)


def test_beta_is_kept_per_pixel_at_the_quick_scale():
    quick, paper = rolinek_table.PROFILES["quick"], rolinek_table.PROFILES["paper"]
    pixels = (64 / 32) ** 2
    assert float(quick.beta) * pixels == float(paper.beta) == 4
    assert float(quick.vae_beta) * pixels == float(paper.vae_beta) == 1
    assert float(zietlow.PROFILES["quick"].changes["beta"]) * pixels == 8


def test_program_writes_a_table_and_names_mistakes(run_program, tmp_path):
    flags = ["--profile=smoke", "--experiments=rolinek_toy", f"--output={tmp_path}"]
    done = run_program("mechanism", *flags, "--seeds=3")
    assert done.returncode == 0, done.stderr
    assert "[as published: " in done.stdout
    file = tmp_path / "rolinek_toy.csv"
    frame = pd.read_csv(file)
    assert tuple(frame.columns) == results.COLUMNS
    assert len(frame) == 3 * 3 * 2 + 3  # ratios, arms, measures; a sentence an arm
    before = file.read_bytes()
    assert run_program("mechanism", *flags, "--seeds=3").returncode == 0
    assert file.read_bytes() == before
    for flag, line in (
        ("--experiments=a", "unknown experiment 'a'; expected one of rolinek_table, rolinek_toy"),
        ("--profile=a", "unknown profile 'a'; expected one of smoke, quick, paper"),
        ("--seeds=a", "--seeds=a; expected whole numbers"),
    ):
        done = run_program("mechanism", flag)
        assert done.returncode == 2
        assert line in done.stderr
