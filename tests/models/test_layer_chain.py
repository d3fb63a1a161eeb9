"""A decoder as plain arrays decodes as the model does."""

from __future__ import annotations

import types

import numpy as np
import pytest

import models
from data.files import InputError
from models import layer_chain
from models.architectures import GAN_NETWORKS, NETWORKS
from models.layer_chain import Layer
from models.settings import BetaVAESettings, InfoGANSettings


def vae(network: str, channels: int, side: int):
    settings = BetaVAESettings(
        network=network, decoder="bernoulli" if channels == 1 else "gaussian"
    )
    return models.build(settings, (side, side, channels), 3)


def infogan(network: str):
    """A generator whose batch normalisation has statistics, as if it had been trained."""
    average = 0.9 if network == "compact_plain" else 0.0
    settings = InfoGANSettings(network=network, average_decay=average)
    model = models.build(settings, (32, 32, 3), 3)
    rng = np.random.default_rng(0)
    for variable in (model.average or model.generator).variables:
        if "moving_variance" in variable.path or "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif "moving_mean" in variable.path or "beta" in variable.path or "bias" in variable.path:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("channels", "side"), [(1, 64), (3, 32)])
def test_chains_of_vaes_decode_as_they_do(tensorflow, network, channels, side):
    model = vae(network, channels, side)
    latents = np.random.default_rng(1).standard_normal((3, 10)).astype(np.float32)
    expected = model.decode(tensorflow.constant(5 * latents)).numpy()
    chain = model.layer_chain()
    assert chain.num_inputs == 10
    np.testing.assert_allclose(chain.decode(5 * latents), expected, atol=1e-5)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("network", GAN_NETWORKS)
def test_chains_of_generators_decode_as_they_do(tensorflow, network):
    model = infogan(network)
    chain = model.layer_chain()
    inputs = np.random.default_rng(1).standard_normal((3, chain.num_inputs)).astype(np.float32)
    expected = model.decode(tensorflow.constant(inputs)).numpy()
    np.testing.assert_allclose(chain.decode(inputs), expected, atol=1e-5)
    assert expected.std() > 1e-4


def test_rounding_to_half_precision_is_numpys(tensorflow):
    chain = vae("patch", 1, 16).layer_chain()
    rounded = chain.at_precision(np.float16)
    for layer, other in zip(chain.layers, rounded.layers, strict=True):
        np.testing.assert_array_equal(other.kernel, layer.kernel.astype(np.float16))
        assert other.kernel.dtype == np.float32
        assert other.scale is None


def test_a_layer_of_another_kind_is_named():
    odd = types.SimpleNamespace(name="spread_0")
    with pytest.raises(InputError, match="spread_0"):
        layer_chain.layers_of(types.SimpleNamespace(name="decoder", layers=[odd]))


def test_a_transposed_convolution_is_the_adjoint_of_its_convolution(tensorflow):
    """<conv(x), y> = <x, transposed(y)>, whatever the kernel's size and the stride."""
    rng = np.random.default_rng(0)
    for size, stride in ((4, 2), (5, 2), (8, 4), (2, 2), (3, 1)):
        kernel = rng.standard_normal((size, size, 2, 3)).astype(np.float32)
        y = rng.standard_normal((2, 4, 5, 3)).astype(np.float32)
        x = rng.standard_normal((2, 4 * stride, 5 * stride, 2)).astype(np.float32)
        layer = Layer(kernel, np.zeros(2, np.float32), stride, (4, 5))
        convolved = tensorflow.nn.conv2d(x, kernel, stride, "SAME").numpy()
        assert np.vdot(convolved, y) == pytest.approx(np.vdot(x, layer.apply(y)), rel=1e-4)
