"""The fused Adam makes Keras' steps, and its state bears the same names."""

import numpy as np
import pytest


@pytest.mark.parametrize("scheduled", [False, True])
def test_steps_are_adams(scheduled, tensorflow):
    """Against the paper's algorithm 1 in float64, with epsilon as in its section 2."""
    import keras

    from models import optimizers

    rng = np.random.default_rng(0)
    rate, beta_1, beta_2, epsilon = 0.01, 0.8, 0.99, 1e-8
    schedule = keras.optimizers.schedules.ExponentialDecay(rate, 1, 0.5)
    optimizer = optimizers.Adam(
        schedule if scheduled else rate, beta_1, beta_2, epsilon=epsilon, name="adam"
    )
    start = rng.normal(size=(3, 2))
    weight = keras.Variable(start, dtype="float32")
    optimizer.build([weight])

    @tensorflow.function
    def step(gradient):
        optimizer.apply([gradient], [weight])

    expected, m, v = start.copy(), 0.0, 0.0
    for t in range(1, 8):
        gradient = rng.normal(size=start.shape)
        step(tensorflow.constant(gradient, tensorflow.float32))
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        now = rate * 0.5 ** (t - 1) if scheduled else rate
        size = now * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        expected -= size * m / (np.sqrt(v) + epsilon)
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    assert int(optimizer.iterations) == 7


def test_state_bears_keras_names(tensorflow):
    import keras

    from models import optimizers

    def names(kind):
        weight = keras.Variable(np.zeros(2), dtype="float32", name="w")
        optimizer = kind(0.1)
        optimizer.build([weight])
        return [variable.name for variable in optimizer.variables]

    assert names(optimizers.Adam) == names(keras.optimizers.Adam)
