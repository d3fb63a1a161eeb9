"""Glow's flow against autodiff, closed forms and itself backwards.

AXISBIAS_GLOW_STEPS sets after how many steps a deep flow is inverted again (10 unless set).
"""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
import scipy.special
import scipy.stats

import models
from data.files import InputError
from data.random_matrices import haar
from models.settings import GlowSettings
from reproduce.training import recipes

GLOW_STEPS = int(os.environ.get("AXISBIAS_GLOW_STEPS", "10"))
COUPLINGS = ("affine", "affine_exp", "additive")
SMALL = GlowSettings(num_levels=2, depth=2, width=8, num_bits=3, warmup_steps=0, recompute=False)
SHAPE = (8, 8, 1)

pytestmark = pytest.mark.usefixtures("tensorflow")


def build(image_shape=SHAPE, seed=0, **changes):
    return models.build(dataclasses.replace(SMALL, **changes), image_shape, seed)


def draw_images(num=16, image_shape=SHAPE, seed=0):
    """A bright square somewhere on a dark ground: float32 [num, ...] in [0, 1]."""
    rng = np.random.default_rng(seed)
    images = np.full((num, *image_shape), 0.125, np.float32)
    for image in images:
        y, x = rng.integers(image_shape[0] - 3, size=2)
        image[y : y + 4, x : x + 4] = rng.random(image_shape[2])
    return images


def disturb(model, size=0.1):
    """Gives every weight, zero-initialised ones too, a value of its own."""
    rng = np.random.default_rng(1)
    for weight in model._weights:
        weight.assign(weight + size * rng.normal(size=weight.shape).astype(np.float32))


def dequantised(model, images):
    from models.glow import dequantise

    noise = np.random.default_rng(2).random(images.shape, np.float32)
    return dequantise(images, model.settings.num_bits, noise).numpy()


def train(tf, model, images, num_steps):
    train_step = tf.autograph.experimental.do_not_convert(model.train_step)

    @tf.function
    def steps(first, count):
        for step in tf.range(first, first + count):
            train_step(images, step, tf.random.fold_in(tf.constant([0, 1]), step))

    steps(tf.constant(0), tf.constant(num_steps))


def held_out_bits(tf, model):
    images = draw_images(200, seed=9)
    return float(model.losses(images, tf.constant(0), tf.constant([3, 4]))["bits_per_dim"])


def test_packed_decomposition_is_the_rotation():
    from models import flow_steps

    weights, fixed = flow_steps.initial_weights(3, 6, 4, 6, np.random.default_rng(0))
    matrices, offsets, log_det = flow_steps.channel_maps(weights, fixed)
    expected = haar(3, 6, np.random.default_rng(0))
    np.testing.assert_allclose(matrices, expected, atol=1e-6)
    np.testing.assert_array_equal(offsets, np.zeros((3, 6)))
    assert abs(log_det) < 1e-5


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_log_determinant_is_that_of_the_jacobian(coupling, tensorflow):
    model = build((4, 4, 1), coupling=coupling)
    disturb(model)
    values = tensorflow.constant(dequantised(model, draw_images(3, (4, 4, 1))))
    with tensorflow.GradientTape() as tape:
        tape.watch(values)
        latents, log_det = model.flow.transform(values)
    jacobians = tape.batch_jacobian(latents, values).numpy().reshape(3, 16, 16)
    expected = np.linalg.slogdet(jacobians.astype(float))[1]
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(log_det, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.flow.forward_log_det_jacobian(values), log_det, rtol=1e-6)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_untrained_density_is_the_closed_form(coupling):
    """An orthogonal map under a standard normal; sigmoid(2) for each transformed coordinate."""
    model = build((8, 8, 3), coupling=coupling, depth=5, num_bits=5)
    d = 8 * 8 * 3
    values = dequantised(model, draw_images(4, (8, 8, 3)))
    transformed = 5 * (d / 2 + d / 4)  # half of d at the first level, half of d / 2 at the second
    constant = transformed * scipy.special.log_expit(2) if coupling == "affine" else 0
    _, log_det = model.flow.transform(values)
    np.testing.assert_allclose(log_det, np.full(4, constant), rtol=1e-5, atol=1e-4)

    if coupling == "affine":
        values = np.zeros_like(values)  # which shrink no further
    expected = scipy.stats.norm.logpdf(values.astype(float)).sum((1, 2, 3)) + constant
    np.testing.assert_allclose(model.distribution.log_prob(values), expected, rtol=1e-5)


@pytest.mark.parametrize("coupling", ["affine_exp", "additive"])
def test_untrained_bits_are_the_closed_form(coupling, tensorflow):
    from models.glow import dequantise

    model = build(coupling=coupling)
    images, seed = draw_images(), tensorflow.constant([5, 6])
    noise = tensorflow.random.stateless_uniform(images.shape, seed)
    values = dequantise(images, 3, noise).numpy().astype(float)
    nats = 3 * np.log(2) - scipy.stats.norm.logpdf(values).mean()
    terms = model.losses(images, tensorflow.constant(0), seed)
    assert list(terms) == list(model.term_names)
    np.testing.assert_allclose(terms["bits_per_dim"], nats / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(terms["loss"], nats * 64, rtol=1e-5)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_first_batch_sets_every_actnorm(coupling, tensorflow):
    from models import flow_steps

    model = build(coupling=coupling, depth=3)
    values, seed = dequantised(model, draw_images()), tensorflow.constant([0, 1])
    before = {name: np.array(value) for name, value in model.variables().items()}
    model.flow.initialise(values)
    for name, variable in model.variables().items():
        is_actnorm = any(part in name for part in ("actnorm", "hidden_1_s", "hidden_2_s", "_log_s"))
        is_actnorm &= "output" not in name and "prior" not in name
        is_actnorm &= "optimizer" not in name
        is_changed = not np.array_equal(variable, before[name])
        if is_actnorm:
            assert all(np.any(step != 0) for step in np.asarray(variable)), name
        else:
            assert not is_changed, name

    # All steps' outputs once more, by hand.
    weights, fixed = model.flow._weights[0], model.flow._fixed[0]
    x = tensorflow.nn.space_to_depth(values, 2)
    matrices, offsets, _ = flow_steps.channel_maps(weights, fixed)
    for k, network in enumerate(flow_steps.prepare(weights, tensorflow.float32)):
        scale = np.exp(3 * np.asarray(weights["actnorm_log_scale"])[k])
        normalised = (np.asarray(x) + np.asarray(weights["actnorm_shift"])[k]) * scale
        np.testing.assert_allclose(normalised.mean((0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(normalised.std((0, 1, 2)), 1, rtol=1e-4)
        given = flow_steps.map_channels(x, matrices[k], offsets[k])[..., :2]
        for kernel, shift in (network[:2], network[2:4]):
            hidden = flow_steps.convolve(given, kernel) + shift
            np.testing.assert_allclose(np.mean(hidden, (0, 1, 2)), 0, atol=1e-4)
            np.testing.assert_allclose(np.std(hidden, (0, 1, 2)), 1, rtol=1e-3)
            given = tensorflow.nn.relu(hidden)
        x, _ = flow_steps.step_forward(coupling)(x, matrices[k], offsets[k], *network)

    initialised = np.array(weights["actnorm_shift"])
    model.initialise(draw_images(seed=5), seed)  # of another batch
    assert not np.array_equal(weights["actnorm_shift"], initialised)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_inverse_gives_the_input_back(coupling):
    model = build(coupling=coupling)
    model.flow.initialise(dequantised(model, draw_images()))
    disturb(model, 0.03)
    values = dequantised(model, draw_images(seed=1))
    latents = model.flow.forward(values)
    assert latents.shape == (16, 64)
    np.testing.assert_allclose(model.flow.inverse(latents), values, atol=1e-5)
    normal = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    np.testing.assert_allclose(model.flow.forward(model.flow.inverse(normal)), normal, atol=1e-3)


@pytest.mark.slow
def test_deep_flow_is_inverted_to_four_digits(tensorflow):
    """3 levels of 32 steps, at initialisation and after training."""
    shape = (8, 8, 1)
    model = build(shape, num_levels=3, depth=32, width=4, learning_rate=3e-3)
    images = draw_images(16, shape)
    model.initialise(images, tensorflow.constant([0, 1]))
    values = dequantised(model, draw_images(16, shape, seed=1))
    np.testing.assert_allclose(model.flow.inverse(model.flow.forward(values)), values, atol=1e-4)
    before = held_out_bits(tensorflow, model)
    for step in range(GLOW_STEPS):  # eagerly: so few steps take less than a graph of so deep a flow
        seed = tensorflow.constant([0, step])
        model.train_step(images, tensorflow.constant(step), seed)
    assert held_out_bits(tensorflow, model) < before - 2
    np.testing.assert_allclose(model.flow.inverse(model.flow.forward(values)), values, atol=1e-4)


def test_distribution_is_made_of_the_bijector(tensorflow):
    model = build()
    disturb(model)
    values = dequantised(model, draw_images(6))
    latents, log_det = model.flow.transform(values)
    normal = scipy.stats.norm.logpdf(latents.numpy().astype(float)).sum(-1)
    expected = normal + log_det.numpy()
    distribution = model.distribution
    np.testing.assert_allclose(distribution.log_prob(values), expected, rtol=1e-5)
    assert distribution.event_shape == SHAPE
    assert distribution.batch_shape == ()
    assert distribution.sample(seed=[0, 1]).shape == SHAPE
    samples = distribution.sample([2, 3], seed=[0, 1])
    assert samples.shape == (2, 3, *SHAPE)
    by_batch = distribution.log_prob(values.reshape(2, 3, *SHAPE))
    np.testing.assert_allclose(np.ravel(by_batch), expected, rtol=1e-5)


def test_density_follows_the_weights_for_the_same_tensor(tensorflow):
    """TFP's bijectors remember their results by input, whatever has become of their weights."""
    model = build()
    values = tensorflow.constant(dequantised(model, draw_images(4)))
    kept = model.flow.forward(values), model.distribution.log_prob(values)
    disturb(model)
    copy = tensorflow.identity(values)
    for now, before, fresh in zip(
        (model.flow.forward(values), model.distribution.log_prob(values)),
        kept,
        (model.flow.forward(copy), model.distribution.log_prob(copy)),
        strict=True,
    ):
        np.testing.assert_array_equal(now, fresh)
        assert not np.allclose(now, before)


def gradients(tf, model, images):
    with tf.GradientTape() as tape:
        terms = model._losses(model._trained_flow, images, tf.constant([0, 1]))
    return [np.asarray(g) for g in tape.gradient(terms["loss"], model._weights)]


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_recomputed_gradients_are_the_same(coupling, tensorflow):
    images = tensorflow.constant(draw_images())
    results = []
    for recompute in (False, True):
        model = build(coupling=coupling, recompute=recompute)
        disturb(model)
        results.append(gradients(tensorflow, model, images))
    for plain, recomputed in zip(*results, strict=True):
        assert np.abs(plain).max() > 0
        np.testing.assert_allclose(recomputed, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())


def test_bfloat16_changes_gradients_little_and_measurements_not_at_all(tensorflow):
    images = tensorflow.constant(draw_images())
    exact, rounded = (build(precision=p) for p in ("float32", "mixed_bfloat16"))
    for model in (exact, rounded):
        disturb(model)
    np.testing.assert_array_equal(exact.encode(images)[0], rounded.encode(images)[0])
    of_both = [gradients(tensorflow, model, images) for model in (exact, rounded)]
    differences = [np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in zip(*of_both, strict=True)]
    assert 0 < max(differences) < 0.1


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_training_lowers_held_out_bits_and_moves_every_weight(coupling, tensorflow):
    model = build(coupling=coupling, clip_norm=10.0, recompute=coupling == "additive")
    images = draw_images(32)
    model.initialise(images, tensorflow.constant([0, 1]))
    before = {name: np.array(value) for name, value in model.variables().items()}
    bits = held_out_bits(tensorflow, model)
    train(tensorflow, model, images, 60)
    after = model.variables()
    unchanged = [name for name, value in after.items() if np.array_equal(value, before[name])]
    assert not unchanged
    assert all(np.isfinite(value).all() for value in after.values())
    assert held_out_bits(tensorflow, model) < bits - 0.2


def test_training_goes_on_to_the_same_bits_from_its_variables(tensorflow):
    images = draw_images(8)

    def state(model):
        return {name: np.array(value) for name, value in model.variables().items()}

    first, second = build(num_levels=1, depth=1), build(num_levels=1, depth=1)
    first.initialise(images, tensorflow.constant([0, 1]))
    train(tensorflow, first, images, 3)
    for name, variable in second.variables().items():
        variable.assign(state(first)[name])
    for model in (first, second):
        train(tensorflow, model, images, 3)
    for name, value in state(first).items():
        np.testing.assert_array_equal(state(second)[name], value)


def test_gradients_are_clipped_by_their_norm(tensorflow):
    """A norm so small that Adam's epsilon counts: the step is then far below the learning rate."""
    model = build(clip_norm=1e-12)
    images = draw_images(8)
    before = [np.array(weight) for weight in model._weights]
    model.train_step(images, tensorflow.constant(0), tensorflow.constant([0, 1]))
    moved = max(np.abs(w - b).max() for w, b in zip(model._weights, before, strict=True))
    assert 0 < moved < 1e-3 * model.settings.learning_rate


def test_learning_rate_warms_up():
    from models.schedules import WarmUpAndDecay

    rates = [float(WarmUpAndDecay(0.5, 4, 0.0, 0)(step)) for step in (0, 1, 3, 4, 100)]
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.5, 0.5, 0.5])
    assert float(WarmUpAndDecay(0.5, 0, 0.0, 0)(0)) == 0.5


def test_bins_are_those_of_integer_images():
    """The authors' floor(x / 2^(8 - n)) for values from 0 to 255."""
    from models.glow import dequantise, to_images

    values = np.arange(256)
    for num_bits in range(1, 9):
        bins = values // 2 ** (8 - num_bits)
        centres = dequantise((values / np.float32(255)).astype(np.float32), num_bits, 0.5)
        np.testing.assert_allclose(centres, (bins + 0.5) / 2**num_bits - 0.5, atol=1e-6)
        np.testing.assert_allclose(
            to_images(centres, num_bits), bins / (2**num_bits - 1), atol=1e-6
        )


def test_decoded_start_is_the_image(tensorflow):
    model = build(num_bits=2)
    disturb(model)
    images = np.random.default_rng(0).integers(4, size=(5, *SHAPE)).astype(np.float32) / 3
    start = model.start(images, tensorflow.constant([0, 1]))
    assert start.shape == (5, 64)
    np.testing.assert_allclose(model.decode(start), images, atol=1e-4)


def test_representation_rotates_with_the_channels(tensorflow):
    """A step along a direction of the primary latent block moves the representation along it."""
    from models.glow import dequantise

    model = build((8, 16, 1))
    disturb(model)
    images = draw_images(5, (8, 16, 1))
    representation, log_variance = model.encode(images)
    assert log_variance is None
    block = model.latent_blocks[0]
    assert (block.name, block.size, representation.shape) == ("channels", 8, (5, 8))
    latents = model.start(images, tensorflow.constant([0, 1])).numpy()
    np.testing.assert_array_equal(latents, model.flow.forward(dequantise(images, 3, 0.5)))
    directions = np.random.default_rng(0).normal(size=(5, 8))
    moved = (latents + block.embed(directions)).astype(np.float32)
    top = model.flow.forward(model.flow.inverse(moved)).numpy()[:, 64:].reshape(5, 8, 8)
    expected = representation + np.sqrt(8) * directions  # at 8 positions
    np.testing.assert_allclose(top.sum(1) / np.sqrt(8), expected, atol=1e-3)
    # Only the last level's latents have moved, by as much at each of their 2 x 4 positions.
    np.testing.assert_array_equal(moved[:, :64], latents[:, :64])


def test_strata_are_coordinates_of_the_last_level():
    channels, position, everything = build((8, 16, 1)).latent_blocks
    size = 8 * 16
    assert (everything.name, everything.size) == ("everything", size)
    np.testing.assert_array_equal(everything.embed(np.eye(size)), np.eye(size))
    embedded = position.embed(np.eye(8))
    assert (position.name, embedded.shape) == ("position", (8, size))
    centre = 64 + (1 * 4 + 2) * 8  # row 1 and column 2 of 2 x 4 positions of 8 channels
    np.testing.assert_array_equal(embedded[:, centre : centre + 8], np.eye(8))
    assert embedded.sum() == 8
    np.testing.assert_allclose(channels.embed(np.eye(8)).sum(1), np.full(8, 8))


def test_samples_follow_the_seed_and_the_temperature(tensorflow):
    model = build()
    disturb(model)
    seed = tensorflow.constant([3, 4])
    samples = model.sample(4, seed, 0.7)
    assert samples.shape == (4, *SHAPE)
    np.testing.assert_array_equal(samples, model.sample(4, seed, 0.7))
    latents = model.prior.sample(4, seed=seed)
    np.testing.assert_array_equal(samples, model.decode(0.7 * latents))
    mode = model.decode(np.zeros((1, 64), np.float32))
    # Equal rows of a batch need not be equal to the bit: matrix products may split it unevenly.
    np.testing.assert_allclose(model.sample(2, seed, 0.0), np.repeat(mode, 2, axis=0), atol=1e-5)


def test_state_has_the_same_names_in_every_model_and_follows_from_the_seed():
    one, same, other = (build(seed=seed).variables() for seed in (3, 3, 4))
    assert len(one) == len(build()._weights) * 3 + 1  # Adam's two slots, and its step
    assert list(one) == list(same) == list(other)
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
    assert any(not np.array_equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("shape", [(12, 8, 1), (8, 20, 1)])
def test_image_size_that_does_not_fit_is_named(shape):
    with pytest.raises(InputError, match=r"do not fit 3 levels; expected multiples of 8"):
        build(shape, num_levels=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coupling": "linear"}, "unknown coupling 'linear'; expected one of affine, affine_exp"),
        ({"precision": "half"}, "unknown precision 'half'; expected one of float32"),
        ({"num_bits": 0}, "num_bits is 0; expected 1 to 8"),
        ({"num_bits": 9}, "num_bits is 9; expected 1 to 8"),
        ({"depth": 0}, "depth is 0; expected more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected more than 0"),
        ({"warmup_steps": -1}, "warmup_steps is -1; expected at least 0"),
        ({"clip_norm": float("nan")}, "clip_norm is nan; expected at least 0"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        GlowSettings(**changes)


@pytest.mark.parametrize(("value", "expected"), [("false", False), ("True", True), ("0", False)])
def test_flags_switch_recomputation(value, expected):
    recipe = recipes.RECIPES["glow2018_celeba64"]
    assert recipes.override(recipe, {"recompute": value}).settings.recompute is expected
    with pytest.raises(InputError, match="recompute is 'no'; expected a value like True"):
        recipes.override(recipe, {"recompute": "no"})
