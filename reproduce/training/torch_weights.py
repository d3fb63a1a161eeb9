"""PyTorch weights of Burgess et al. 2018's networks, converted to this kit's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.files import InputError, load_npz

_MAP_SIDE = 4  # of the last feature map, for images of 64 x 64
_MAP_CHANNELS = 32

# Theirs to ours. Their names of convolutions for 64 x 64 images end in _64.
_LAYERS = {
    "encoder.conv1": "encoder/convolution_0",
    "encoder.conv2": "encoder/convolution_1",
    "encoder.conv3": "encoder/convolution_2",
    "encoder.conv_64": "encoder/convolution_3",
    "encoder.lin1": "encoder/dense_0",
    "encoder.lin2": "encoder/dense_1",
    "encoder.mu_logvar_gen": "encoder/output",
    "decoder.lin1": "decoder/dense_0",
    "decoder.lin2": "decoder/dense_1",
    "decoder.lin3": "decoder/dense_2",
    "decoder.convT_64": "decoder/convolution_0",
    "decoder.convT1": "decoder/convolution_1",
    "decoder.convT2": "decoder/convolution_2",
    "decoder.convT3": "decoder/output",
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads a state_dict saved as an .npz.

    Raises:
        InputError: If the file is damaged, or lacks a weight of the architecture.
    """
    return load_npz(path, [f"{name}.{part}" for name in _LAYERS for part in ("weight", "bias")])


def num_latents(state: dict[str, np.ndarray]) -> int:
    """How many latents the model has."""
    return len(state["encoder.mu_logvar_gen.bias"]) // 2


def convert(
    state: dict[str, np.ndarray], variables: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Converts a state_dict to weights by this kit's names.

    PyTorch stores convolutions as (out, in, height, width), transposed ones as (in, out, height,
    width) and dense layers as (out, in), and flattens feature maps channels first; here they are
    (height, width, in, out), (height, width, out, in), (in, out), and channels last. Their last
    encoder layer interleaves mean and log-variance.

    Args:
        state: As `read` gives it.
        variables: The model's own variables, for names and shapes.

    Raises:
        InputError: If a shape does not fit.
    """
    converted: dict[str, np.ndarray] = {}
    for theirs, ours in _LAYERS.items():
        weight, bias = state[f"{theirs}.weight"], state[f"{theirs}.bias"]
        weight = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        if theirs == "encoder.lin1":
            weight = _channels_last(weight)
        elif theirs == "decoder.lin3":
            weight, bias = _channels_last(weight.T).T, _channels_last(bias)
        elif theirs == "encoder.mu_logvar_gen":
            weight = np.concatenate([weight[:, 0::2], weight[:, 1::2]], axis=1)
            bias = np.concatenate([bias[0::2], bias[1::2]])
        for part, value in (("kernel", weight), ("bias", bias)):
            name = f"weights/{ours}/{part}"
            if name not in variables or variables[name].shape != value.shape:
                expected = variables[name].shape if name in variables else "no such layer"
                raise InputError(
                    f"{theirs} is {list(value.shape)} in this kit's layout; expected {expected}, "
                    "as of Burgess et al. 2018's networks on these images"
                )
            converted[name] = np.ascontiguousarray(value, np.float32)
    return converted


def _channels_last(rows: np.ndarray) -> np.ndarray:
    """Reorders rows that run over a feature map channels first to channels last."""
    shape = (_MAP_CHANNELS, _MAP_SIDE, _MAP_SIDE)
    order = np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
    return rows[order]
