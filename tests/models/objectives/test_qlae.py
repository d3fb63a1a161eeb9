"""Latent quantisation: nearest values, straight-through gradients, what trains which."""

from __future__ import annotations

import numpy as np
import pytest

import models
from data.files import InputError
from models.objectives import qlae

pytestmark = pytest.mark.usefixtures("tensorflow")


def settings(**changes) -> qlae.Settings:
    values = {"network": "compact", "num_latents": 3, "num_values": 5, "learning_rate": 1e-2}
    return qlae.Settings(objective="qlae", **values | changes)


def model_and_images(tf, **changes):
    model = models.build(settings(**changes), (16, 16, 1), seed=0)
    return model, tf.constant(np.random.default_rng(0).random((6, 16, 16, 1), np.float32))


def test_every_latent_takes_its_own_nearest_value(tensorflow):
    objective = qlae.Objective(settings(), np.random.default_rng(0))
    np.testing.assert_allclose(objective.values[0], [-0.5, -0.25, 0, 0.25, 0.5])
    values = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    objective.values.assign(values)
    outputs = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    found = objective.quantise(outputs).numpy()
    for latent in range(3):
        distances = np.abs(outputs[:, latent, None] - values[latent])
        np.testing.assert_array_equal(found[:, latent], values[latent][distances.argmin(axis=1)])


def test_the_decoders_gradient_passes_straight_through(tensorflow):
    tf = tensorflow
    model, images = model_and_images(tf)
    outputs = model.posterior(images).mean()
    quantised = model.objective.quantise(outputs)

    class Posterior:
        def mean(self):
            return outputs

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([outputs, quantised, model.objective.values.value])
        latents = model.objective.latents(Posterior(), None)
        through = model._reconstruction(latents, images)
        direct = model._reconstruction(quantised, images)
    np.testing.assert_allclose(latents, quantised, atol=1e-6)
    of_outputs = tape.gradient(through, outputs)
    np.testing.assert_allclose(of_outputs, tape.gradient(direct, quantised), rtol=1e-3, atol=1e-6)
    assert tape.gradient(through, model.objective.values.value) is None


def test_losses_per_pixel_are_the_papers(tensorflow):
    model, images = model_and_images(tensorflow, quantization_weight=0.02, commitment_weight=0.03)
    terms = model.losses(images, tensorflow.constant(0), tensorflow.constant([0, 1]))
    outputs = model.posterior(images).mean()
    squares = np.mean((outputs - model.objective.quantise(outputs)) ** 2)
    np.testing.assert_allclose(terms["quantization"] / 256, 0.02 * squares, rtol=1e-4)
    np.testing.assert_allclose(terms["commitment"] / 256, 0.03 * squares, rtol=1e-4)
    total = terms["reconstruction"] + terms["quantization"] + terms["commitment"]
    assert terms["loss"] == total > terms["reconstruction"]


def test_values_move_towards_outputs_and_unused_ones_stay(tensorflow):
    model, images = model_and_images(tensorflow)
    batch = model.batch_of(images, tensorflow.constant(0), tensorflow.constant([0, 1]))
    outputs, before = batch.posterior.mean().numpy(), np.array(model.objective.values)
    nearest = np.abs(outputs[:, :, None] - before).argmin(axis=2)
    model.objective.update(batch, 1)
    moved = np.array(model.objective.values) - before
    for latent in range(3):
        for value in range(5):
            near = outputs[nearest[:, latent] == value, latent]
            wanted = np.sign(near.mean() - before[latent, value]) if len(near) else 0
            assert np.sign(moved[latent, value]) == wanted


def test_kernels_decay_by_the_rate_and_biases_do_not(tensorflow):
    """Beside the same step without decay, which is decoupled from the gradient."""
    after = []
    for decay in (0.0, 0.1):
        model, images = model_and_images(tensorflow, weight_decay=decay)
        start = {name: np.array(value) for name, value in model.variables().items()}
        model.train_step(images, tensorflow.constant(0), tensorflow.constant([0, 1]))
        after.append({name: np.array(value) for name, value in model.variables().items()})
    for name in (name for name in start if name.startswith("weights/")):
        share = 0.1 * 1e-2 if name.endswith("kernel") else 0
        shrunk = after[0][name] - share * start[name]
        np.testing.assert_allclose(after[1][name], shrunk, atol=1e-6)


def test_the_representation_is_quantised_and_so_are_draws(tensorflow):
    model, images = model_and_images(tensorflow)
    latents, log_variance = model.encode(images)
    assert log_variance is None
    values = np.array(model.objective.values)
    draws = model.draw(2_000, tensorflow.constant([0, 1])).numpy()
    for points in (latents.numpy(), model.start(images, None).numpy(), draws):
        assert all(np.isin(points[:, k], values[k]).all() for k in range(3))
    shares = [(draws[:, k, None] == values[k]).mean(axis=0) for k in range(3)]
    np.testing.assert_allclose(shares, 1 / 5, atol=5 * np.sqrt(0.16 / 2_000))


def test_a_single_value_is_refused():
    with pytest.raises(InputError, match="num_values is 1; expected at least 2"):
        settings(num_values=1)
