"""What the VAE's objectives share: a weight of zero, unbroken gradients, resumption, arms."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

import models
from data import own_npz
from data.files import InputError
from models import objectives, registry
from models.objectives.base import Batch
from models.settings import OPTIMIZERS, BetaVAESettings, GlowSettings, InfoGANSettings
from reproduce.training import recipes
from reproduce.training.run_directory import RunConfig, RunDirectory

POSTERIORS = ("diagonal", "full_covariance")
WEIGHTS = {
    "beta_tcvae": ("tc_weight",),
    "dip_vae_i": ("lambda_od", "lambda_d"),
    "dip_vae_ii": ("lambda_od", "lambda_d"),
    "info_vae": ("mmd_weight",),
    "factor_vae": ("tc_weight",),
}
WITHOUT_RECIPES = {
    ("locatello2019", "info_vae"),  # neither was in their study
    ("locatello2019", "qlae"),
    ("patch", "capacity"),
}
NARROW = {"factor_vae": {"discriminator_widths": (8, 8)}}
OF_SMALL_NETWORK = {"network": "compact", "num_latents": 3, "beta_start": 0.5, "beta": 2.0}


def settings(name: str, **changes) -> BetaVAESettings:
    made = getattr(objectives.load(name), "Settings", BetaVAESettings)
    return made(objective=name, **OF_SMALL_NETWORK, **NARROW.get(name, {}), **changes)


def steps(tf, own: BetaVAESettings, num_steps: int = 2) -> dict[str, np.ndarray]:
    """Encoder's and decoder's weights after some steps."""
    model = models.build(own, (16, 16, 1), seed=0)
    images = tf.constant(np.random.default_rng(0).random((6, 16, 16, 1), np.float32))
    train_step = tf.function(model.train_step, autograph=False)
    for step in range(num_steps):
        train_step(images, tf.constant(step), tf.constant([0, step]))
    named = model.variables().items()
    return {name: np.array(v) for name, v in named if not name.startswith("objective/")}


@pytest.fixture(scope="module", params=POSTERIORS)
def of_beta_vae(request, tensorflow):
    return request.param, steps(
        tensorflow, settings("annealed_beta", posterior=request.param, ramp_steps=2)
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_with_a_weight_of_zero_a_step_is_the_beta_vaes_to_the_bit(name, of_beta_vae, tensorflow):
    posterior, expected = of_beta_vae
    zero = dict.fromkeys(WEIGHTS[name], 0.0)
    found = steps(tensorflow, settings(name, posterior=posterior, ramp_steps=2, **zero))
    assert found.keys() == expected.keys()
    for variable, value in expected.items():
        np.testing.assert_array_equal(found[variable], value, err_msg=variable)


@pytest.mark.parametrize("name", [*WEIGHTS, "capacity", "qlae"])
def test_recipes_of_both_scales_train_and_are_told_apart(name, tensorflow, tiny):
    dataset = own_npz.load(tiny)
    for prefix, posterior in itertools.product(("patch", "locatello2019"), POSTERIORS):
        recipe = recipes.RECIPES.get(f"{prefix}_{name}")
        if recipe is None:
            assert (prefix, name) in WITHOUT_RECIPES
            continue
        changes = {"posterior": posterior, "network": "compact"}
        if name == "factor_vae":
            changes["discriminator_widths"] = "8,8"
        own = recipes.override(recipe, changes).settings.fitted_to(dataset, 3)
        key = registry.MODELS["beta_vae"].arm(own, 3)
        assert key == (name if name == "qlae" else f"{name}/{posterior}")
        assert registry.ARMS[key].title.startswith(objectives.title_of(name))
        assert registry.ARMS[key].primary is None
        model = models.build(own, (16, 16, 1), 0)
        images = tensorflow.constant(np.random.default_rng(0).random((8, 16, 16, 1), np.float32))
        for step in range(2):
            terms = model.train_step(images, tensorflow.constant(step), tensorflow.constant([0, 1]))
            assert list(terms) == list(model.term_names)
            assert np.isfinite(list(terms.values())).all()


@pytest.mark.parametrize("name", ["beta_tcvae", "info_vae", "factor_vae", "qlae"])
def test_a_cut_off_training_goes_on_to_the_same_bits(name, tensorflow, tiny, tmp_path):
    """What is not in the checkpoint, as a discriminator's moments, would be lost in between."""
    from reproduce.training import loop

    changes = {"network": "compact", "num_latents": 3, "image_size": 0, "weights": "float32"}
    changes |= {"batch_size": 8, "num_steps": 4, "log_every": 1, "checkpoint_every": 2}
    if name == "factor_vae":
        changes["discriminator_widths"] = "8,8"
    if name == "beta_tcvae":
        changes["sampling"] = "stratified"
    recipe = recipes.override(recipes.RECIPES[f"patch_{name}"], changes)
    dataset = own_npz.load(tiny)
    own = recipe.settings.fitted_to(dataset, recipe.num_steps)
    recipe = dataclasses.replace(recipe, settings=own)
    files = []
    for stops in ((4,), (2, 4)):
        run = RunDirectory(tmp_path / str(len(stops)))
        for stop in stops:
            part = dataclasses.replace(recipe, num_steps=stop)
            shape = dataset.image_shape
            config = RunConfig(part, "npz", "", str(tiny), dataset.fingerprint, shape, 0)
            with run.locked():
                loop.train(config, dataset, run)
        files.append((run.checkpoints()[4].read_bytes(), run.training_file.read_bytes()))
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("name", "weight"), [(name, weight) for name, some in WEIGHTS.items() for weight in some]
)
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_weights_below_zero_are_refused(name, weight, value):
    with pytest.raises(InputError, match=f"{weight} is {value}; expected at least 0"):
        settings(name, **{weight: value})


@pytest.mark.parametrize("name", ["beta_tcvae", "dip_vae_i", "info_vae"])
def test_what_is_added_rises_with_beta(name, tensorflow):
    import tensorflow_probability as tfp

    objective = objectives.load(name).Objective(
        settings(name, ramp_steps=2), np.random.default_rng(0)
    )
    means = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    posterior = tfp.distributions.MultivariateNormalDiag(means, np.ones_like(means))
    first, middle, last = (
        objective.loss(Batch(None, posterior, means, 0.0, 0.0, step, np.int32([0, 1])))[1]
        for step in (0, 1, 2)
    )
    whole = float(last["penalty"])
    assert whole > 0
    # Geometrically from a beta of .5 to one of 2.
    assert float(first["penalty"]) == pytest.approx(whole / 4, rel=1e-5)
    assert float(middle["penalty"]) == pytest.approx(whole / 2, rel=1e-5)


def test_arms_of_an_objective_are_contrasted_with_its_full_covariance():
    for name in WEIGHTS:
        assert registry.ARMS[f"{name}/diagonal"].control == f"{name}/full_covariance"
        assert registry.ARMS[f"{name}/full_covariance"].control is None
    assert registry.MODELS["beta_vae"].arm(settings("capacity"), 1) == "capacity/diagonal"


def test_whatever_is_trained_is_an_arm_with_a_title_and_its_logged_terms_have_labels():
    model = registry.MODELS["beta_vae"]
    labelled = {term.column for term in model.terms}
    for name, posterior, optimizer, num_steps in itertools.product(
        objectives.OBJECTIVES, POSTERIORS, OPTIMIZERS, (0, 9)
    ):
        own = settings(name, posterior=posterior, optimizer=optimizer)
        arm = registry.ARMS[model.arm(own, num_steps)]
        title = objectives.title_of(name) or "beta-VAE"
        if num_steps and name != "autoencoder":
            assert arm.title.startswith(title)
            if objectives.has_posterior(name):
                assert ("full-covariance" in arm.title) == (posterior == "full_covariance")
                assert ("SGD" in arm.title) == (optimizer == "sgd")
        assert labelled >= set(objectives.load(name).Objective.term_names)
    assert dict(objectives.terms("factor_vae"))["penalty"] == "penalty of the objective, nats"
    for key, made in (("infogan", InfoGANSettings), ("glow", GlowSettings)):
        assert registry.MODELS[key].arm(made(), 9) in registry.ARMS
    gaussian = InfoGANSettings(codes="gaussian")
    assert registry.MODELS["infogan"].arm(gaussian, 9) in registry.ARMS
