"""The controls: turned factors, an autoencoder, an untrained encoder, other names for arms."""

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.stats

from data.files import InputError
from models.registry import ARMS
from reproduce.basis import representation
from reproduce.basis.representation import Representation
from reproduce.pipeline import profiles
from reproduce.reporting import names
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig


def positions(n=2_000):
    rng = np.random.default_rng(0)
    factors = rng.integers(8, size=(n, 3))
    latents = factors + rng.normal(size=(n, 3))
    return Representation(latents, factors, ("shape", "x", "y"), (8, 8, 8))


def test_turned_factors_are_sum_and_difference():
    before = positions()
    after = representation.turned(before, "x", "y")
    assert after.factor_names == ("shape", "x + y", "x - y")
    assert after.factor_sizes == before.factor_sizes
    assert after.factors.min() >= 0
    assert after.factors.max() < 8
    np.testing.assert_array_equal(after.factors[:, 0], before.factors[:, 0])
    x, y = before.factors[:, 1], before.factors[:, 2]
    assert np.corrcoef(after.factors[:, 1], x + y)[0, 1] > 0.97
    assert np.corrcoef(after.factors[:, 2], x - y)[0, 1] > 0.97
    np.testing.assert_array_equal(after.latents, before.latents)
    for pair in (("x", "x"), ("x", "z")):
        with pytest.raises(InputError, match="no factors"):
            representation.turned(before, *pair)
    unequal = dataclasses.replace(before, factor_sizes=(8, 8, 9))
    with pytest.raises(InputError, match="expected as many"):
        representation.turned(unequal, "x", "y")


def test_normal_scores_are_normal_whatever_the_codes_are():
    rng = np.random.default_rng(1)
    codes = np.stack([rng.uniform(-1, 1, 5_000), rng.exponential(size=5_000) ** 3], axis=1)
    scores = representation.normal_scores(codes)
    for column in range(2):
        assert scipy.stats.kstest(scores[:, column], "norm").pvalue > 0.99
        assert scipy.stats.spearmanr(scores[:, column], codes[:, column])[0] == pytest.approx(1)
    assert np.all(representation.normal_scores(np.zeros((10, 2))) == 0)


def test_the_autoencoder_has_no_noise_and_no_kl(tensorflow):
    import models

    tf = tensorflow
    settings = recipes.override(
        recipes.find("beta_vae", "smoke"), {"objective": "autoencoder"}
    ).settings
    model = models.build(settings, (16, 16, 1), 0)
    images = tf.constant(np.random.default_rng(0).uniform(size=(4, 16, 16, 1)), tf.float32)
    first, second = (
        model.losses(images, tf.constant(0), tf.constant([0, seed])) for seed in range(2)
    )
    assert float(first["loss"]) == float(first["reconstruction"]) == float(second["loss"])
    exact = -model.likelihood(model.encode(images)[0]).log_prob(images)
    assert float(first["loss"]) == pytest.approx(float(tf.reduce_mean(exact)), rel=1e-6)


def test_an_untrained_model_is_its_initial_weights(run_program, tiny, tmp_path, tensorflow):
    import models
    from reproduce.training import trained_model
    from reproduce.training.run_directory import RunDirectory

    run = tmp_path / "run"
    flags = (f"--run_dir={run}", "--dataset=npz", f"--data_file={tiny}", "--num_steps=0")
    flags += ("--set=weights=float32",)  # as they are, not as they would be released
    for _ in range(2):
        done = run_program("train", *flags)
        assert done.returncode == 0, done.stderr
        assert "finished: 0 steps" in done.stdout
    model = trained_model.load_model(RunDirectory(run))
    config = RunDirectory(run).read_config()
    fresh = models.build(config.recipe.settings, config.image_shape, config.seed)
    for name, variable in fresh.variables().items():
        np.testing.assert_array_equal(model.variables()[name], variable)
    assert config.arm == "untrained"


def test_every_arm_of_every_profile_has_a_name_of_its_own():
    for arms in itertools.chain(*(p.arms.values() for p in profiles.PROFILES.values())):
        found = set()
        for arm in arms:
            recipe = recipes.override(recipes.find(arm.model, arm.recipe), dict(arm.changes))
            config = RunConfig(recipe, "dsprites", "rendered", None, "", (64, 64, 1), 0)
            assert config.arm in ARMS
            settings = dataclasses.asdict(recipe.settings)
            found.add((config.arm, settings.get("beta"), settings.get("network")))
        assert len(found) == len(arms)
    turned = "beta_vae/diagonal" + names.TURNED
    assert names.name(turned) == "beta-VAE, diagonal posterior, factors turned"
