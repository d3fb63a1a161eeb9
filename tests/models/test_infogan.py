"""InfoGAN's parts against closed forms, SciPy and Monte Carlo; what a step changes; resumption."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import json
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats

import models
from data import own_npz
from data.files import InputError
from models.architectures import GAN_NETWORKS
from models.settings import InfoGANSettings
from reproduce.program import start_tensorflow
from reproduce.training.recipes import RECIPES, Recipe, find, override
from reproduce.training.run_directory import RunConfig, RunDirectory

NUM_SAMPLES = 100_000

pytestmark = pytest.mark.usefixtures("tensorflow")


def settings(**changes) -> InfoGANSettings:
    small = {"network": "compact", "num_codes": 3, "categories": (4, 2), "num_noise": 5}
    return InfoGANSettings(**small | changes)


def build(tf, image_shape=(16, 16, 1), seed=0, **changes):
    model = models.build(settings(**changes), image_shape, seed)
    return model, tf.constant(np.random.default_rng(0).random((6, *image_shape), np.float32))


def codes_of(**changes):
    from models.infogan_codes import Codes

    return Codes(settings(**changes))


def values(variables) -> dict[str, np.ndarray]:
    return {name: np.array(variable) for name, variable in variables.items()}


def changed(before, variables) -> set[str]:
    return {name for name, v in variables.items() if not np.array_equal(before[name], v)}


# Networks


def convolution(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def dense(*widths: int) -> int:
    return sum((a + 1) * b for a, b in itertools.pairwise(widths))


def norm(*widths: int) -> int:
    return 2 * sum(widths)


# Of the published networks with their published inputs, by hand: image, G, D with Q.
PARAMETERS = {
    "infogan2016_mnist": (
        (28, 28, 1),
        dense(74, 1024, 7 * 7 * 128) + norm(1024, 7 * 7 * 128) + convolution(4, 128, 64)
        + norm(64) + convolution(4, 64, 1),
        convolution(4, 1, 64) + convolution(4, 64, 128) + norm(128) + dense(7 * 7 * 128, 1024)
        + norm(1024) + dense(1024, 1) + dense(1024, 128, 12) + norm(128),
    ),
    "infogan2016_celeba": (
        (32, 32, 3),
        dense(228, 2 * 2 * 448) + norm(2 * 2 * 448) + convolution(4, 448, 256) + norm(256)
        + convolution(4, 256, 128) + convolution(4, 128, 64) + convolution(4, 64, 3),
        convolution(4, 3, 64) + convolution(4, 64, 128) + convolution(4, 128, 256)
        + norm(128, 256) + dense(4 * 4 * 256, 1) + dense(4 * 4 * 256, 128, 100) + norm(128),
    ),
    "infogan_cr_dsprites": (
        (64, 64, 1),
        dense(10, 128, 4 * 4 * 64) + norm(128, 4 * 4 * 64) + convolution(4, 64, 64)
        + convolution(4, 64, 32) + convolution(4, 32, 32) + norm(64, 32, 32)
        + convolution(4, 32, 1),
        convolution(4, 1, 32) + convolution(4, 32, 32) + convolution(4, 32, 64)
        + convolution(4, 64, 64) + dense(4 * 4 * 64, 128, 1) + dense(128, 128, 5),
    ),
    "infogan_cr_celeba": (
        (32, 32, 3),
        dense(105, 1024, 4 * 4 * 256) + norm(1024, 4 * 4 * 256) + convolution(5, 256, 128)
        + convolution(5, 128, 64) + norm(128, 64) + convolution(5, 64, 3),
        convolution(5, 3, 64) + convolution(5, 64, 128) + convolution(5, 128, 256)
        + convolution(5, 256, 512) + dense(2 * 2 * 512, 1) + dense(2 * 2 * 512, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_networks_have_their_number_of_parameters(name):
    image_shape, *expected = PARAMETERS[name]
    model = models.build(RECIPES[name].settings, image_shape, 0)
    parts = (model.generator, model.discriminator)
    counts = [sum(np.asarray(v).size for v in part.trainable_variables) for part in parts]
    assert counts == expected


@pytest.mark.parametrize(
    ("image_shape", "precision"), [((64, 64, 1), "float32"), ((32, 32, 3), "mixed_bfloat16")]
)
@pytest.mark.parametrize("network", GAN_NETWORKS)
def test_networks_fit_images_and_keep_float32_weights(network, image_shape, precision, tensorflow):
    model, images = build(tensorflow, image_shape, network=network, precision=precision)
    latents, log_variance = model.encode(images)
    assert latents.shape == (6, 3)
    assert log_variance is None
    starts = model.start(images, tensorflow.constant([0, 1]))
    assert starts.shape == (6, 3 + 4 + 2 + 5)
    decoded = model.decode(starts)
    assert decoded.shape == images.shape
    assert latents.dtype == starts.dtype == decoded.dtype == "float32"
    assert 0 <= decoded.numpy().min() <= decoded.numpy().max() <= 1
    assert {str(v.dtype) for v in values(model.variables()).values()} <= {"float32", "int64"}


def test_image_size_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"36 x 36 do not fit this network; .* multiples of 8"):
        models.build(settings(), (36, 36, 1), 0)


# Codes


def test_entropy_and_the_limit_of_the_information_are_the_closed_forms():
    uniform, normal = np.log(2), np.log(2 * np.pi * np.e) / 2
    at_the_mean = -np.log(2 * np.pi) / 2
    for changes, entropy, density in (
        ({"codes": "uniform"}, 3 * uniform, at_the_mean),
        ({"codes": "gaussian"}, 3 * normal, at_the_mean),
        ({"q_deviation": "learned", "min_deviation": 0.2}, 3 * uniform, at_the_mean - np.log(0.2)),
    ):
        made = codes_of(**changes)
        assert made.entropy == pytest.approx(entropy + np.log(4) + np.log(2), rel=1e-6)
        assert made.information_limit == pytest.approx(made.entropy + 3 * density, rel=1e-6)
    mnist = codes_of(num_codes=0, categories=(10,))
    assert mnist.entropy == mnist.information_limit == pytest.approx(np.log(10), rel=1e-6)


@pytest.mark.parametrize("q_deviation", ["fixed", "learned"])
def test_information_is_scipys(q_deviation):
    made = codes_of(q_deviation=q_deviation)
    rng = np.random.default_rng(0)
    inputs = made.draw(50, [0, 1]).numpy().astype(float)
    parameters = rng.normal(size=(50, made.num_parameters))
    width = 6 if q_deviation == "learned" else 3
    deviation = 0.3 + np.log1p(np.exp(parameters[:, 3:6])) if width == 6 else 1.0
    log_q = scipy.stats.norm.logpdf(inputs[:, :3], parameters[:, :3], deviation).sum(-1)
    for first, last, offset in ((3, 7, width), (7, 9, width + 4)):
        logits = parameters[:, offset : offset + last - first]
        log_q += (scipy.special.log_softmax(logits, -1) * inputs[:, first:last]).sum(-1)
    expected = log_q.mean() + 3 * np.log(2) + np.log(8)
    actual = made.information(inputs.astype(np.float32), parameters.astype(np.float32))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "gain", "expected"),
    [  # E log N(c; a c, 1) = -log(2 pi) / 2 - (1 - a)^2 E c^2 / 2
        ("uniform", 1.0, np.log(2) - np.log(2 * np.pi) / 2),
        ("uniform", 0.0, np.log(2) - np.log(2 * np.pi) / 2 - 1 / 6),
        ("uniform", 0.4, np.log(2) - np.log(2 * np.pi) / 2 - 0.36 / 6),
        ("gaussian", 0.0, 0.0),  # Q is the prior itself
        ("gaussian", 1.0, 0.5),
    ],
)
def test_information_of_codes_is_the_closed_form_of_what_q_knows(kind, gain, expected):
    made = codes_of(codes=kind, categories=(), num_codes=2)
    inputs = made.draw(NUM_SAMPLES, [0, 1])
    actual = made.information(inputs, gain * inputs[:, :2])
    np.testing.assert_allclose(actual, 2 * expected, atol=0.01)
    assert actual <= made.information_limit + 0.01


@pytest.mark.parametrize("q", ["ignorant", "certain"])
def test_information_of_categories_lies_between_nothing_and_their_entropy(q):
    made = codes_of(num_codes=0)
    inputs = made.draw(1000, [0, 1])
    information = made.information(inputs, (50.0 if q == "certain" else 0.0) * inputs[:, :6])
    expected = np.log(8) if q == "certain" else 0
    np.testing.assert_allclose(information, expected, atol=1e-5)


def test_fitted_information_is_that_of_a_gaussian_channel():
    """For c ~ N(0, 1) and y = c + n, I(c; y) = log(1 + 1 / var n) / 2, which E(c | y) attains."""
    made = codes_of(codes="gaussian", categories=(), num_codes=2)
    inputs = made.draw(NUM_SAMPLES, [0, 1])
    noise = np.random.default_rng(0).normal(size=(NUM_SAMPLES, 2)) * [0.1, 2.0]
    variance = np.array([0.01, 4.0])
    means = (inputs[:, :2] + noise) / (1 + variance)
    actual = made.fitted_information(inputs, means.numpy().astype(np.float32))
    np.testing.assert_allclose(actual, np.log1p(1 / variance).sum() / 2, atol=0.02)
    assert made.information(inputs, means) < actual


def test_correlation_is_numpys_and_0_for_a_constant_estimate():
    made = codes_of()
    inputs, parameters = made.draw(40, [0, 1]).numpy(), made.draw(40, [2, 3]).numpy()
    parameters = parameters[:, : made.num_parameters]
    parameters[:, 1] = 0.5
    actual = made.correlation(inputs, parameters)
    expected = [abs(np.corrcoef(inputs[:, j], parameters[:, j])[0, 1]) for j in (0, 2)]
    np.testing.assert_allclose(actual, [expected[0], 0, expected[1]], rtol=1e-4)


@pytest.mark.parametrize("codes", ["uniform", "gaussian"])
def test_inputs_have_their_priors_distributions(codes):
    made = codes_of(codes=codes, noise=codes)
    law = {"uniform": scipy.stats.uniform(-1, 2), "gaussian": scipy.stats.norm()}[codes]
    drawn = made.draw(4000, [0, 1]).numpy()
    by_coordinates = made.from_gaussian(made.draw_gaussian(4000, [0, 2])).numpy()
    for inputs in (drawn, by_coordinates):
        assert inputs.shape == (4000, 14)
        for column in (0, 1, 2, 9, 13):
            assert scipy.stats.kstest(inputs[:, column], law.cdf).pvalue > 1e-4
        for first, last in ((3, 7), (7, 9)):
            one_hot = inputs[:, first:last]
            assert set(np.unique(one_hot)) == {0, 1}
            np.testing.assert_array_equal(one_hot.sum(-1), 1)
            share = 1 / (last - first)
            assert np.all(np.abs(one_hot.mean(0) - share) < 5 * np.sqrt(share / 4000))
        largest = np.abs(np.corrcoef(inputs[:, [0, 1, 2, 9, 13]].T) - np.eye(5)).max()
        assert largest < 5 / np.sqrt(4000)


def test_gaussianising_is_scipys_and_its_own_inverse():
    from models.infogan_codes import MAX_DEVIATIONS, gaussian_from_uniform, uniform_from_gaussian

    g = np.linspace(-MAX_DEVIATIONS, MAX_DEVIATIONS, 41).astype(np.float32)
    c = uniform_from_gaussian(g)
    np.testing.assert_allclose(c, 2 * scipy.stats.norm.cdf(g) - 1, atol=1e-6)
    np.testing.assert_allclose(gaussian_from_uniform(c), g, atol=1e-3)
    outside = gaussian_from_uniform(np.float32([-7, -1, 1, 1.2]))
    expected = MAX_DEVIATIONS * np.array([-1, -1, 1, 1])
    np.testing.assert_allclose(outside, expected, rtol=1e-3)


def test_codes_stay_in_their_cube_whatever_the_rotation():
    made = codes_of(noise="gaussian")
    inputs = made.draw_gaussian(1000, [0, 1]).numpy()
    for seed in range(10):
        turned = inputs.copy()
        turned[:, :3] = 3 * inputs[:, :3] @ scipy.stats.ortho_group.rvs(3, random_state=seed)
        mapped = made.from_gaussian(turned).numpy()
        assert np.abs(mapped[:, :3]).max() <= 1
        np.testing.assert_array_equal(mapped[:, 3:], turned[:, 3:])


# Model


def test_strata_are_the_codes_and_the_noise(tensorflow):
    model, _ = build(tensorflow)
    codes, noise = model.latent_blocks
    assert (codes.name, codes.size, noise.name, noise.size) == ("codes", 3, "noise", 5)
    np.testing.assert_array_equal(codes.embed(np.eye(3)), np.eye(14)[:3])
    np.testing.assert_array_equal(noise.embed(np.eye(5)), np.eye(14)[9:])
    only_categories, _ = build(tensorflow, num_codes=0)
    assert [block.name for block in only_categories.latent_blocks] == ["noise"]


@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
def test_start_stands_for_qs_reading_and_decode_undoes_it(kind, tensorflow):
    from models.infogan_codes import MAX_DEVIATIONS

    model, images = build(tensorflow, codes=kind, noise=kind)
    q_output = model.discriminator.get_layer("q_output")
    scale = 2 / np.abs(model.encode(images)[0]).max()
    q_output.kernel.assign(scale * q_output.kernel)  # means inside the cube and outside it
    seed = tensorflow.constant([0, 1])
    latents = model.encode(images)[0].numpy()
    starts = model.start(images, seed).numpy()
    np.testing.assert_array_equal(starts, model.start(images, seed))
    other = model.start(images, tensorflow.constant([0, 2])).numpy()
    np.testing.assert_array_equal(starts[:, :9], other[:, :9])
    assert not np.any(starts[:, 9:] == other[:, 9:])
    expected = starts.copy()
    if kind == "uniform":
        assert (np.abs(latents) > 1).any()
        edge = 2 * scipy.stats.norm.cdf(MAX_DEVIATIONS) - 1
        expected[:, :3] = latents.clip(-edge, edge)
        expected[:, 9:] = 2 * scipy.stats.norm.cdf(starts[:, 9:]) - 1
    else:
        np.testing.assert_array_equal(starts[:, :3], latents)
    parameters = model.discriminator(images)[1].numpy()
    for first, last in ((3, 7), (7, 9)):
        likeliest = parameters[:, first:last].argmax(-1)
        np.testing.assert_array_equal(starts[:, first:last], np.eye(last - first)[likeliest])
    generated = model.generate(expected.astype(np.float32), training=False)
    np.testing.assert_allclose(model.decode(starts), generated, atol=1e-5)


def test_decode_uses_the_moving_statistics(tensorflow):
    """An image does not depend on those beside it, but on what training has seen."""
    model, _ = build(tensorflow)
    inputs = model.codes.draw_gaussian(8, [0, 1])
    alone, together = model.decode(inputs[:1]), model.decode(inputs)
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)
    model.generate(model.codes.draw(64, [0, 2]), training=True)
    assert not np.allclose(model.decode(inputs[:1]), alone, atol=1e-6)


def test_temperature_scales_what_samples_are_drawn_from(tensorflow):
    model, _ = build(tensorflow, categories=())
    seed = tensorflow.constant([0, 1])
    middle = model.decode(np.zeros((1, 8), np.float32))
    spread = []
    for temperature in (0.0, 0.5, 1.0):
        images = model.sample(20, seed, temperature)
        assert images.shape == (20, 16, 16, 1)
        spread.append(float(np.abs(images - middle).mean()))
    assert spread[0] < 1e-6 < spread[1] < spread[2]
    np.testing.assert_array_equal(images, model.sample(20, seed))


# Training


def test_each_step_changes_its_own_network(tensorflow):
    model, images = build(tensorflow, constraint="spectral", instance_noise=0.1)
    inputs, seed = model.codes.draw(6, [0, 1]), tensorflow.constant([0, 2])
    generated = model.generate(inputs, training=True)
    before = values(model.variables())
    model.discriminator_step(images, generated, inputs, seed)
    of_discriminator = changed(before, model.variables())
    parts = ("discriminator/", "discriminator_optimizer/", "spectral_norm/")
    assert all(name.startswith(parts) for name in of_discriminator)
    weights = {f"discriminator/{v.path}" for v in model.discriminator.trainable_variables}
    assert {"discriminator/q_dense_0/kernel", "discriminator/q_output/kernel"} < weights
    assert weights <= of_discriminator

    before = values(model.variables())
    model.generator_step(inputs, seed)
    of_generator = changed(before, model.variables())
    assert all(name.startswith(("generator/", "generator_optimizer/")) for name in of_generator)
    kernels = {name for name in before if name.startswith("generator/") and "kernel" in name}
    assert kernels <= of_generator


def test_lambda_0_leaves_qs_own_layers_alone(tensorflow):
    model, images = build(tensorflow, information_weight=0.0)
    before = values(model.variables())
    model.train_step(images, 0, tensorflow.constant([0, 1]))
    unchanged = before.keys() - changed(before, model.variables())
    q_weights = {name for name in before if name.startswith("discriminator/q_")}
    assert q_weights == {name for name in unchanged if name.startswith("discriminator/")}


def test_losses_are_goodfellows(tensorflow):
    """With D's logits fixed to l, its loss is -log s(l) - log(1 - s(l)), and G's -log s(l)."""
    model, images = build(tensorflow, generator_learning_rate=1e-12)
    output = model.discriminator.get_layer("d_output")
    output.kernel.assign(np.zeros(output.kernel.shape))
    output.bias.assign([0.7])
    model.discriminator_optimizer.learning_rate.assign(0.0)
    terms = model.train_step(images, 0, tensorflow.constant([0, 1]))
    assert list(terms) == list(model.term_names)
    probability = scipy.special.expit(0.7)
    loss = -np.log(probability) - np.log(1 - probability)
    np.testing.assert_allclose(terms["discriminator_loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(terms["generator_loss"], -np.log(probability), rtol=1e-5)
    both = terms["discriminator_loss"] + terms["generator_loss"]
    np.testing.assert_allclose(terms["loss"], both - terms["mutual_information"], rtol=1e-5)


def test_a_step_follows_from_its_seed(tensorflow):
    outcomes = []
    for seed in (1, 1, 2):
        model, images = build(tensorflow, instance_noise=0.1)
        terms = model.train_step(images, 0, tensorflow.constant([0, seed]))
        outcomes.append((values(terms), values(model.variables())))
    assert outcomes[0][0] == outcomes[1][0] != outcomes[2][0]
    assert not changed(outcomes[0][1], outcomes[1][1])
    assert changed(outcomes[0][1], outcomes[2][1])


@pytest.mark.parametrize("generator_steps", [1, 3])
def test_the_generator_gets_its_number_of_steps(generator_steps, tensorflow):
    model, images = build(tensorflow, generator_steps=generator_steps)
    model.train_step(images, 0, tensorflow.constant([0, 1]))
    assert int(model.discriminator_optimizer.iterations) == 1
    assert int(model.generator_optimizer.iterations) == generator_steps


def test_images_that_g_has_made_already_give_the_same_step(tensorflow):
    outcomes = []
    for reused in (True, False):
        model, _ = build(tensorflow, instance_noise=0.1)
        inputs, seed = model.codes.draw(6, [0, 1]), tensorflow.constant([0, 2])
        made = model._generate_on_tape(inputs) if reused else None
        loss, parameters = model.generator_step(inputs, seed, made=made)
        outcomes.append([loss, parameters, *model.generator.trainable_variables])
    for of_reused, of_anew in zip(*outcomes, strict=True):
        np.testing.assert_allclose(of_reused, of_anew, atol=1e-6)


def test_the_discriminator_sees_both_kinds_at_once_as_one_by_one(tensorflow, monkeypatch):
    """Without batch normalisation an image's logit does not depend on the others."""
    outcomes = []
    for at_once in (True, False):
        model, images = build(tensorflow)
        assert not model._network.discriminator_has_norm
        inputs, seed = model.codes.draw(6, [0, 1]), tensorflow.constant([0, 2])
        generated = model.generate(inputs, training=True)
        if not at_once:
            kind = type(model._network)
            monkeypatch.setattr(kind, "discriminator_has_norm", property(lambda network: True))
        loss = model.discriminator_step(images, generated, inputs, seed)
        outcomes.append([loss, *model.discriminator.trainable_variables])
    for of_both, of_each in zip(*outcomes, strict=True):
        np.testing.assert_allclose(of_both, of_each, atol=1e-6)


def test_spectral_norm_bounds_every_kernel_as_numpys_svd_measures_it(tensorflow):
    model, images = build(tensorflow, constraint="spectral")
    kernels = [v.path for v in model.discriminator.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 6
    assert set(model.spectral_norm.vectors) == set(kernels)

    def largest(weights) -> np.ndarray:
        flat = [np.reshape(w, (-1, w.shape[-1])) for w in weights if len(w.shape) > 1]
        return np.array([np.linalg.norm(w, 2) for w in flat])

    np.testing.assert_allclose(largest(model.spectral_norm.weights()[0]), 1, atol=0.02)
    assert largest(model.discriminator.trainable_variables).min() < 0.5
    step = tensorflow.function(model.train_step, autograph=False)
    before = values(model.variables())
    for i in range(20):
        step(images, tensorflow.constant(i), tensorflow.constant([0, i]))
    # One iteration a step follows weights whose largest values lie close together at some distance,
    # and never overestimates a norm; on weights that are held it arrives.
    followed = largest(model.spectral_norm.weights()[0])
    assert 1 - 1e-4 < followed.min() <= followed.max() < 1.5
    vectors = {f"spectral_norm/{path}" for path in kernels}
    single = {name for name in vectors if before[name].size == 1}  # D's output: nothing to follow
    assert len(single) == 1
    assert vectors - single <= changed(before, model.variables())
    for name in single:
        np.testing.assert_allclose(model.variables()[name], before[name], atol=1e-6)
    for _ in range(100):
        model.spectral_norm.keep(model.spectral_norm.weights()[1])
    np.testing.assert_allclose(largest(model.spectral_norm.weights()[0]), 1, atol=0.01)


def test_gradients_pass_through_the_norm(tensorflow):
    """The gradient of any function of W / |W| is orthogonal to W: scaling W changes nothing."""
    from models.spectral_norm import divide_by_norm

    rng = np.random.default_rng(0)
    kernel = tensorflow.Variable(rng.normal(size=(3, 3, 4, 8)).astype(np.float32))
    u = np.linalg.svd(kernel.numpy().reshape(-1, 8))[2][0].astype(np.float32)
    weights = rng.normal(size=kernel.shape)
    with tensorflow.GradientTape() as tape:
        divided, _ = divide_by_norm(kernel, u)
        loss = tensorflow.reduce_sum(divided * weights)
    gradient = tape.gradient(loss, kernel).numpy()
    assert np.linalg.norm(gradient) > 1
    assert abs(np.sum(gradient * kernel)) < 1e-3


def test_instance_noise_is_only_for_training(tensorflow):
    noisy, images = build(tensorflow, instance_noise=0.5)
    plain, _ = build(tensorflow)
    np.testing.assert_array_equal(noisy.encode(images)[0], plain.encode(images)[0])
    seen = noisy._noisy(images, tensorflow.constant([0, 1])) - images
    np.testing.assert_allclose(np.std(seen), 0.5, rtol=0.1)
    np.testing.assert_array_equal(plain._noisy(images, tensorflow.constant([0, 1])), images)


TINY = {
    "network": "compact",
    "num_codes": 2,
    "categories": "",
    "num_noise": 4,
    "information_weight": 1.0,
    "instance_noise": 0.1,
    "batch_size": 32,
    "image_size": 0,
}


def config_of(data_file: Path, **changes) -> RunConfig:
    recipe = override(find("infogan", "infogan_smoke"), TINY | changes)
    dataset = own_npz.load(data_file)
    fingerprint, shape = dataset.fingerprint, dataset.image_shape
    return RunConfig(recipe, "npz", "rendered", str(data_file), fingerprint, shape, 0)


def train(config: RunConfig, path: Path) -> RunDirectory:
    from reproduce.training import loop

    run = RunDirectory(path)
    with run.locked():
        run.claim(config)
        loop.train(config, own_npz.load(config.data_file), run)
    return run


def test_training_raises_the_information_and_codes_recover_their_inputs(tensorflow, tiny, tmp_path):
    import pandas as pd

    from reproduce.training.trained_model import load_model

    changes = {"num_steps": 300, "log_every": 10, "checkpoint_every": 300}
    changes |= {"num_noise": 1, "information_weight": 3.0, "instance_noise": 0.2}
    changes |= {"discriminator_learning_rate": 2e-3, "generator_learning_rate": 3e-3}
    changes |= {"precision": "float32"}
    run = train(config_of(tiny, **changes), tmp_path)
    rows = pd.read_csv(run.training_file)
    nothing = 2 * (np.log(2) - np.log(2 * np.pi) / 2 - 1 / 6)
    first, last = rows["mutual_information"].iloc[[0, -1]]
    limit = rows["mutual_information_limit"].iloc[-1]
    assert limit == pytest.approx(nothing + 2 / 6, abs=1e-5)
    assert first < nothing + 0.5 * (limit - nothing)
    assert nothing + 0.8 * (limit - nothing) < last < limit
    fitted, entropy = rows[["mutual_information_fitted", "code_entropy"]].iloc[-1]
    assert fitted > 0.8 * entropy
    assert rows["code_correlation"].iloc[-1] > 0.9

    model = load_model(run)
    inputs = model.codes.draw_gaussian(500, [0, 7])
    read = model.encode(model.decode(inputs))[0].numpy()
    given = model.codes.from_gaussian(inputs).numpy()
    for j in range(2):
        assert np.corrcoef(given[:, j], read[:, j])[0, 1] > 0.9


def contents(run: RunDirectory) -> dict[str, bytes]:
    files = [run.training_file, *run.checkpoints().values()]
    return {file.name: file.read_bytes() for file in files}


def test_an_interrupted_training_goes_on_to_the_same_bytes(tensorflow, tiny, tmp_path):
    # Batch normalisation in G, D and Q, and a spectral normalisation: all the state there is.
    changes = {"network": "infogan2016_celeba", "constraint": "spectral", "categories": "3"}
    steps = {"num_steps": 12, "log_every": 2, "checkpoint_every": 6, "batch_size": 8}
    config = config_of(tiny, **steps | changes)
    undisturbed = contents(train(config, tmp_path / "a"))
    assert list(undisturbed) == ["training.csv", "step_00000006.npz", "step_00000012.npz"]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    interrupted = RunDirectory(tmp_path / "b")
    interrupted.checkpoints()[12].unlink()
    model = models.build(config.recipe.settings, config.image_shape, 0)
    with np.load(tmp_path / "a" / "checkpoints" / "step_00000012.npz") as saved:
        assert set(saved) == set(model.variables())
        for part in ("generator_optimizer/iteration", "discriminator_optimizer/iteration"):
            assert saved[part] > 0
    assert contents(train(config, tmp_path / "b")) == undisturbed


def a_step_on_two_devices() -> dict[str, np.ndarray]:
    """The variables after a step of a batch that two CPU devices share."""
    tf = start_tensorflow(1)
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = models.build(settings(constraint="spectral"), (16, 16, 1), 0)
    before = values(model.variables())

    @tf.function(autograph=False)
    def step() -> None:
        strategy.run(lambda: model.train_step(tf.ones([4, 16, 16, 1]), 0, tf.constant([0, 1]), 2))

    step()
    after = values(model.variables())
    return {name: value - before[name] for name, value in after.items()}


@pytest.mark.slow
def test_two_devices_can_share_a_batch():
    spawn = multiprocessing.get_context("spawn")  # devices are fixed once TensorFlow has started
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        difference = pool.submit(a_step_on_two_devices).result()
    for name in ("generator/dense_0/kernel", "generator/dense_0_norm/moving_mean"):
        assert np.abs(difference[name]).max() > 0
    assert difference["discriminator_optimizer/iteration"] == 1


# Settings


@pytest.mark.parametrize(
    "what", ["network", "codes", "noise", "q_deviation", "constraint", "precision"]
)
def test_unknown_name_is_refused_with_the_choices(what):
    default = getattr(InfoGANSettings(), what)
    with pytest.raises(InputError, match=f"unknown {what} 'nonsense'; expected one of.*{default}"):
        InfoGANSettings(**{what: "nonsense"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator_steps": 0}, "generator_steps is 0; expected more than 0"),
        ({"min_deviation": 0.0}, "min_deviation is 0.0; expected more than 0"),
        ({"generator_learning_rate": -1.0}, "generator_learning_rate is -1.0; .* more than 0"),
        ({"discriminator_learning_rate": float("nan")}, "_rate is nan; expected more than 0"),
        ({"num_codes": -1}, "num_codes is -1; expected at least 0"),
        ({"num_noise": -1}, "num_noise is -1; expected at least 0"),
        ({"instance_noise": -0.1}, "instance_noise is -0.1; expected at least 0"),
        ({"information_weight": float("nan")}, "information_weight is nan; expected at least 0"),
        ({"adam_beta1": 1.0}, "adam_beta1 is 1.0; expected at least 0, below 1"),
        ({"categories": (10, 1)}, r"categories are \(10, 1\); expected whole numbers of at least"),
        ({"categories": ("3",)}, "categories are .* expected whole numbers of at least 2"),
        ({"num_codes": 0, "categories": ()}, "num_codes is 0 and .* expected some codes"),
    ],
)
def test_number_out_of_range_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        settings(**changes)


def test_categories_come_from_flags_and_from_json():
    recipe = override(Recipe("infogan", settings()), {"categories": "10,10", "num_noise": "7"})
    assert recipe.settings.categories == (10, 10)
    assert override(recipe, {"categories": ""}).settings.categories == ()
    with pytest.raises(InputError, match="categories is 'ten'; expected a value like"):
        override(recipe, {"categories": "ten"})
    read = InfoGANSettings(**json.loads(json.dumps(dataclasses.asdict(recipe.settings))))
    assert read == recipe.settings
