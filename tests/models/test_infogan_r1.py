"""InfoGAN without normalisation: R1, the average of G's weights, and the initial images."""

from __future__ import annotations

import numpy as np
import pytest

import models
from models.settings import InfoGANSettings

pytestmark = pytest.mark.usefixtures("tensorflow")

SHAPE = (16, 16, 1)


def build(**changes):
    small = {"network": "compact_plain", "num_codes": 3, "categories": (), "num_noise": 2}
    return models.build(InfoGANSettings(**small | changes), SHAPE, 0)


def images(tf, n=6):
    return tf.constant(np.random.default_rng(0).random((n, *SHAPE), np.float32))


def test_r1_is_half_the_squared_gradient_as_finite_differences_have_it(tensorflow):
    model, x = build(), images(tensorflow, 1)
    step = 1e-2  # D is linear between the kinks of its ReLUs
    moves = step * np.eye(np.prod(SHAPE), dtype=np.float32).reshape(-1, *SHAPE)
    up, down = (model.discriminator(x + sign * moves)[0][:, 0].numpy() for sign in (1, -1))
    gradient = (up - down) / (2 * step)
    assert float(model.r1(x)) == pytest.approx((gradient**2).sum() / 2, rel=0.02)


def test_the_penalty_has_its_turn_and_lowers_the_gradient(tensorflow):
    tf = tensorflow
    model, x = build(r1_weight=1.0, r1_every=4), images(tf)
    gradients = model._r1_gradients(x, tf.constant(3), 1)
    assert all(not np.any(g) for g in gradients)
    before = float(model.r1(x))
    gradients = model._r1_gradients(x, tf.constant(4), 1)
    norm = sum(float(tf.reduce_sum(g**2)) for g in gradients)
    rate = 1e-3 / np.sqrt(norm)
    for variable, g in zip(model.discriminator.trainable_variables, gradients, strict=True):
        variable.assign_sub(rate * g)
    # To first order the penalty, 4 times R1, falls by the step's length times its gradient's.
    assert float(model.r1(x)) - before == pytest.approx(-1e-3 * np.sqrt(norm) / 4, rel=0.1)


def test_the_average_follows_the_generator_and_makes_the_images(tensorflow):
    tf = tensorflow
    model, x = build(average_decay=0.5), images(tf)
    model.initialise(x, tf.constant([0, 0]))
    kept = [np.array(v) for v in model.average.variables]
    for own, start in zip(model.generator.variables, kept, strict=True):
        np.testing.assert_array_equal(own, start)
    for step in range(2):
        model.train_step(x, tf.constant(step), tf.constant([0, step]))
        owns = model.generator.variables
        kept = [0.5 * k + 0.5 * np.array(v) for k, v in zip(kept, owns, strict=True)]
    for found, expected in zip(model.average.variables, kept, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    inputs = model.codes.draw(3, tf.constant([1, 1]))
    before = model.generate(inputs, training=False).numpy()
    model.generator.variables[0].assign(0 * model.generator.variables[0])
    np.testing.assert_array_equal(model.generate(inputs, training=False), before)
    assert np.any(model.generate(inputs, training=True) != before)
    assert "average/generator/dense_0/kernel" in model.variables()


def test_images_begin_at_the_initial_logit(tensorflow):
    tf = tensorflow
    model = build(initial_logit=-3.0)
    for variable in model.generator.variables[:-1]:
        variable.assign(0 * variable)  # what is left is the last layer's bias
    made = model.generate(model.codes.draw(2, tf.constant([0, 1])), training=True)
    np.testing.assert_allclose(made, 1 / (1 + np.exp(3.0)), rtol=1e-5)


def test_the_layers_keep_the_variance_of_their_inputs(tensorflow):
    """He et al. 2015, eq. 10: with ReLUs, E h^2 of every layer is as large as that of its input."""
    tf = tensorflow
    model = models.build(
        InfoGANSettings(network="compact_plain", num_codes=400, categories=(), num_noise=100),
        (32, 32, 1),
        0,
    )
    first, second = (model.generator.get_layer(f"dense_{i}") for i in range(2))
    x = tf.random.stateless_normal([2_000, 500], [0, 0])
    h = first(x)
    assert float(tf.reduce_mean(h**2)) == pytest.approx(2, rel=0.1)
    assert float(tf.reduce_mean(second(tf.nn.relu(h)) ** 2)) == pytest.approx(2, rel=0.15)


def test_the_discriminators_accuracy_is_logged(tensorflow):
    tf = tensorflow
    model, x = build(), images(tf)
    inputs = model.codes.draw(6, tf.constant([1, 1]))
    made = model.generate(inputs, training=False)
    real, fake = (model.discriminator(part)[0].numpy() for part in (x, made))
    _, accuracy = model.discriminator_step(x, made, inputs, tf.constant([0, 0]))
    assert float(accuracy) == pytest.approx(((real > 0).mean() + (fake < 0).mean()) / 2)
    assert "discriminator_accuracy" in model.term_names
