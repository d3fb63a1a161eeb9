"""Convolutions as matrix products are TensorFlow's, in value and gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

SHAPES = [  # height, width, inputs, outputs, kernel, stride
    (8, 12, 1, 5, 8, 4),
    (8, 8, 3, 4, 4, 2),
    (8, 4, 3, 4, 2, 2),
    (6, 9, 2, 3, 3, 3),
    (6, 5, 2, 4, 3, 1),
    (5, 4, 4, 2, 5, 1),
    (4, 6, 3, 2, 6, 2),
]


def gradients_of(tensorflow, function, x, kernel, upstream):
    with tensorflow.GradientTape() as tape:
        tape.watch([x, kernel])
        y = function(x, kernel)
    return y, *tape.gradient(y, [x, kernel], upstream)


def assert_as_exact(tensorflow, ours, theirs, x_shape, kernel_shape, y_shape):
    """Both in float32 against TensorFlow's in float64: ours errs no more than a few roundings."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in (x_shape, kernel_shape, y_shape)]
    exact = gradients_of(tensorflow, theirs, *map(tensorflow.constant, arrays))
    single = [tensorflow.constant(a, tensorflow.float32) for a in arrays]
    found = gradients_of(tensorflow, ours, *single)
    for name, a, b in zip(("value", "input", "kernel"), found, exact, strict=True):
        assert a.shape == b.shape, name
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6 * float(np.abs(b).max()), err_msg=name)


@pytest.mark.parametrize(("h", "w", "inputs", "outputs", "size", "stride"), SHAPES)
def test_convolutions_are_tensorflows(h, w, inputs, outputs, size, stride, tensorflow):
    from models import convolutions

    assert_as_exact(
        tensorflow,
        lambda x, k: convolutions.convolve(x, k, stride),
        lambda x, k: tensorflow.nn.conv2d(x, k, stride, "SAME"),
        (3, h, w, inputs),
        (size, size, inputs, outputs),
        (3, h // stride, w // stride, outputs),
    )


@pytest.mark.parametrize(("h", "w", "inputs", "outputs", "size", "stride"), SHAPES)
def test_transposed_convolutions_are_tensorflows(h, w, inputs, outputs, size, stride, tensorflow):
    from models import convolutions

    large = (3, h * stride, w * stride, outputs)
    assert_as_exact(
        tensorflow,
        lambda x, k: convolutions.convolve_transposed(x, k, stride),
        lambda x, k: tensorflow.nn.conv2d_transpose(x, k, large, stride, "SAME"),
        (3, h, w, inputs),
        (size, size, outputs, inputs),
        large,
    )


@pytest.mark.parametrize("size", [1, 3, 5])
def test_convolutions_to_few_channels_are_tensorflows(size, tensorflow):
    from models import convolutions

    assert_as_exact(
        tensorflow,
        convolutions.convolve_to_few,
        lambda x, k: tensorflow.nn.conv2d(x, k, 1, "SAME"),
        (2, 5, 6, 8),
        (size, size, 8, 3),
        (2, 5, 6, 3),
    )


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
def test_sum_columns_is_the_adjoint_of_columns(tensorflow, shifts, stride, blocks, channels):
    from models import convolutions

    size, side = shifts * stride, blocks * stride
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, side, side, channels))
    y = rng.normal(size=(2, blocks, blocks, size**2 * channels))
    left = np.sum(convolutions.columns(tensorflow.constant(x), size, stride) * y)
    right = np.sum(x * convolutions.sum_columns(tensorflow.constant(y), size, stride))
    np.testing.assert_allclose(left, right, atol=1e-9)


def test_gradients_can_be_differentiated_again(tensorflow):
    """What a penalty on a discriminator's gradient needs."""
    from models import convolutions

    rng = np.random.default_rng(0)
    x = tensorflow.constant(rng.normal(size=(2, 8, 8, 1)))
    kernel = tensorflow.constant(rng.normal(size=(4, 4, 1, 3)))
    found = []
    for convolve in (
        lambda x, k: convolutions.convolve(x, k, 2),
        lambda x, k: tensorflow.nn.conv2d(x, k, 2, "SAME"),
    ):
        with tensorflow.GradientTape() as outer:
            outer.watch(kernel)
            with tensorflow.GradientTape() as inner:
                inner.watch(x)
                y = tensorflow.reduce_sum(tensorflow.tanh(convolve(x, kernel)))
            penalty = tensorflow.reduce_sum(tensorflow.square(inner.gradient(y, x)))
        found.append(outer.gradient(penalty, kernel))
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


@pytest.mark.parametrize("instruction_set", ["avx512", "avx2", "other"])
def test_the_choice_depends_on_layer_and_processor_alone(instruction_set, monkeypatch):
    from models import convolutions, hardware

    monkeypatch.setattr(hardware, "instruction_set", lambda: instruction_set)
    assert convolutions.is_faster(4, 4, (32, 32), 64)  # a reshape and a product
    assert not convolutions.is_faster(4, 4, (30, 32), 64)  # SAME pads unevenly
    assert not convolutions.is_faster(5, 2, (32, 32), 1)
    assert not convolutions.is_faster(4, 2, (32, 32), 64)
    assert convolutions.is_faster(8, 4, (32, 32), 1) == (instruction_set != "other")


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize(("filters", "size", "stride"), [(4, 4, 4), (1, 8, 4), (8, 4, 2)])
def test_layers_are_keras_own(filters, size, stride, activation, tensorflow, monkeypatch):
    import keras

    from models import fast_layers, hardware

    monkeypatch.setattr(hardware, "instruction_set", lambda: "avx2")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    for ours, theirs in (
        (fast_layers.Conv2D, keras.layers.Conv2D),
        (fast_layers.Conv2DTranspose, keras.layers.Conv2DTranspose),
    ):
        layers = [
            kind(filters, size, stride, "same", activation=activation) for kind in (ours, theirs)
        ]
        for layer in layers:
            layer.build(x.shape)
        weights = [rng.normal(size=w.shape) for w in layers[0].weights]
        for layer in layers:
            layer.set_weights(weights)
        assert [w.name for w in layers[0].weights] == [w.name for w in layers[1].weights]
        np.testing.assert_allclose(layers[0](x), layers[1](x), atol=2e-5)
