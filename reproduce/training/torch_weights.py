"""PyTorch weights of Burgess et al. 2018's networks, converted to this kit's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.files import InputError, load_npz
from reproduce.training import torch_files

IMAGE_SIZE = 64  # that these networks take
_MAP_SIDE = 4  # of the last feature map
_MAP_CHANNELS = 32
_WIDTH = 256

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
_NAMES = tuple(f"{layer}.{part}" for layer in _LAYERS for part in ("weight", "bias"))


def find(path: Path) -> Path:
    """The file of weights that is meant: `path`, or model.pt in it where it is a folder.

    Raises:
        InputError: If there is none.
    """
    file = path / "model.pt" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such file; expected a state_dict (.pt or .npz)")
    return file


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads a state_dict: a .pt as PyTorch saves it, or an .npz of the same arrays.

    Raises:
        InputError: If the file is damaged, lacks a weight of the architecture, or has one of
            another shape, or a number that is not finite.
    """
    state = load_npz(path, _NAMES) if path.suffix == ".npz" else torch_files.read(path)
    missing = [name for name in _NAMES if name not in state]
    if missing:
        raise InputError(
            f"{path}: has no {missing[0]}; expected the weights of Burgess et al. 2018's networks "
            "for images of 64 x 64, by disentangling-vae's names"
        )
    state = {name: state[name] for name in _NAMES}
    for name, expected in _shapes(path, state).items():
        if state[name].shape != expected or not np.issubdtype(state[name].dtype, np.floating):
            raise InputError(
                f"{path}: {name} is {state[name].dtype} {list(state[name].shape)}; expected "
                f"numbers {list(expected)}, as in Burgess et al. 2018's networks"
            )
        if not np.isfinite(state[name]).all():
            raise InputError(f"{path}: {name} holds numbers that are not finite; fetch it anew")
    return state


def num_latents(state: dict[str, np.ndarray]) -> int:
    """How many latents the model has."""
    return len(state["encoder.mu_logvar_gen.bias"]) // 2


def num_channels(state: dict[str, np.ndarray]) -> int:
    """How many channels its images have."""
    return state["encoder.conv1.weight"].shape[1]


def _shapes(path: Path, state: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """What each weight's shape must be, given channels and latents, which two of them say."""
    first, last = state["encoder.conv1.weight"], state["encoder.mu_logvar_gen.bias"]
    if first.ndim != 4 or first.shape[1] not in (1, 3) or last.ndim != 1 or len(last) % 2:
        raise InputError(
            f"{path}: encoder.conv1.weight is {list(first.shape)} and encoder.mu_logvar_gen.bias "
            f"{list(last.shape)}; expected [32, 1 or 3, 4, 4] and [2 d]"
        )
    d, channels, maps = num_latents(state), num_channels(state), _MAP_CHANNELS
    flat = maps * _MAP_SIDE**2
    dense = {
        "encoder.lin1": (_WIDTH, flat),
        "encoder.lin2": (_WIDTH, _WIDTH),
        "encoder.mu_logvar_gen": (2 * d, _WIDTH),
        "decoder.lin1": (_WIDTH, d),
        "decoder.lin2": (_WIDTH, _WIDTH),
        "decoder.lin3": (flat, _WIDTH),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in _LAYERS:
        weight: tuple[int, ...] = dense.get(layer, (maps, maps, 4, 4))
        outputs = weight[0]
        if layer == "encoder.conv1":
            weight = (maps, channels, 4, 4)
        elif layer == "decoder.convT3":
            weight, outputs = (maps, channels, 4, 4), channels
        shapes |= {f"{layer}.weight": weight, f"{layer}.bias": (outputs,)}
    return shapes


def convert(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts a state_dict to weights by this kit's names.

    PyTorch stores convolutions as (out, in, height, width), transposed ones as (in, out, height,
    width) and dense layers as (out, in), and flattens feature maps channels first; here they are
    (height, width, in, out), (height, width, out, in), (in, out), and channels last. Their last
    encoder layer interleaves mean and log-variance.

    Args:
        state: As `read` gives it.
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
            converted[f"weights/{ours}/{part}"] = np.ascontiguousarray(value, np.float32)
    return converted


def _channels_last(rows: np.ndarray) -> np.ndarray:
    """Reorders rows that run over a feature map channels first to channels last."""
    shape = (_MAP_CHANNELS, _MAP_SIDE, _MAP_SIDE)
    order = np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
    return rows[order]
