"""Images a second in training a Glow: this project's, and the one of TensorFlow Probability.

Images of 64 x 64 x 3, three levels of four steps, coupling networks of width 64, batches of 32, one
thread. The rival is tfp.bijectors.Glow with its own networks and Adam of tf_keras, the only Keras
whose variables it tracks. It has no actnorm in its networks and no learned prior of the last
latents; otherwise both do the same work. Run it as `python benchmarks/glow_throughput.py` on a
quiet machine; the rounds are interleaved, and medians of five are compared.
"""

import functools
import statistics
import time
from collections.abc import Callable

import numpy as np
from machine import describe

from models import hardware
from models.settings import GlowSettings
from reproduce import program

SHAPE, LEVELS, DEPTH, WIDTH, BITS = (64, 64, 3), 3, 4, 64, 5
BATCH, STEPS, ROUNDS = 32, 5, 5
EXPECTED = 2.0  # at least so many times the rival's rate, in float32

Training = Callable[[int], float]  # makes a number of steps, returns the last bits per dimension


def ours(images: np.ndarray, precision: str, recompute: bool) -> Training:
    """This project's training."""
    import tensorflow as tf

    import models

    settings = GlowSettings(
        num_levels=LEVELS,
        depth=DEPTH,
        width=WIDTH,
        num_bits=BITS,
        recompute=recompute,
        precision=precision,
    )
    model = models.build(settings, SHAPE, seed=0)
    batch = tf.constant(images)
    model.initialise(batch, tf.constant([0, 1]))

    @tf.function
    def step(number: tf.Tensor) -> tf.Tensor:
        seed = tf.random.fold_in(tf.constant([0, 1]), number)
        return model.train_step(batch, number, seed)["bits_per_dim"]

    return lambda steps: [float(step(tf.constant(i))) for i in range(steps)][-1]


def rival(images: np.ndarray) -> Training:
    """The same in TensorFlow Probability."""
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tf_keras

    tfb, tfd = tfp.bijectors, tfp.distributions
    flow = tfb.Glow(
        SHAPE,
        LEVELS,
        DEPTH,
        coupling_bijector_fn=functools.partial(tfb.GlowDefaultNetwork, num_hidden=WIDTH),
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
    )
    dimension = int(np.prod(SHAPE))
    distribution = flow(tfd.Sample(tfd.Normal(0.0, 1.0), [dimension]))
    batch = tf.constant(np.floor(images * 2**BITS).clip(max=2**BITS - 1) / 2**BITS - 0.5)
    distribution.log_prob(batch)  # initialises the actnorms and makes all variables
    variables = flow.trainable_variables
    optimizer = tf_keras.optimizers.Adam(1e-3 / 1000)
    optimizer.build(variables)

    @tf.function
    def step(number: tf.Tensor) -> tf.Tensor:
        seed = tf.random.fold_in(tf.constant([0, 1]), number)
        values = batch + tf.random.stateless_uniform(batch.shape, seed) / 2**BITS
        with tf.GradientTape() as tape:
            density = tf.reduce_mean(distribution.log_prob(values))
            bits = BITS - density / (dimension * np.log(2).astype(np.float32))
        optimizer.apply_gradients(zip(tape.gradient(bits, variables), variables, strict=True))
        return bits

    return lambda steps: [float(step(tf.constant(i))) for i in range(steps)][-1]


def main() -> None:
    """Measures and prints."""
    program.start_tensorflow(1)
    print(describe())
    images = np.random.default_rng(0).random((BATCH, *SHAPE), np.float32)
    ways = {
        "tfp.bijectors.Glow": rival(images),
        "axisbias": ours(images, "float32", False),
        "axisbias, recomputing": ours(images, "float32", True),
    }
    if hardware.has_bfloat16():
        ways["axisbias, bfloat16"] = ours(images, "mixed_bfloat16", False)
    for name, train in ways.items():
        assert np.isfinite(train(2)), name  # traces and warms up
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, train in ways.items():
            started = time.perf_counter()
            train(STEPS)
            rates[name].append(STEPS * BATCH / (time.perf_counter() - started))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"images/s in training, one thread, medians of {ROUNDS} interleaved rounds")
    for name, median in medians.items():
        ratio = median / medians["tfp.bijectors.Glow"]
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:22} {median:6.0f}   ({low:.0f} to {high:.0f})   x {ratio:.2f}")
    ratio = medians["axisbias"] / medians["tfp.bijectors.Glow"]
    verdict = "as expected" if ratio >= EXPECTED else "less than expected"
    print(f"{ratio:.2f} x tfp.bijectors.Glow's, {verdict} ({EXPECTED:.0f} or more)")


if __name__ == "__main__":
    main()
