"""Writes PyTorch's files by hand, in both layouts, without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from typing import ClassVar

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C


class _Global:
    """Something that pickles as a global of a name."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Call:
    """Something that pickles as a call of such a global."""

    def __init__(self, called: _Global, *arguments: object) -> None:
        self.called, self.arguments = called, arguments


class _Storage:
    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class _Pickler(pickle._Pickler):
    """Python's own pickler in Python, which can be told of names that do not exist here."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def __init__(self, file, legacy: bool) -> None:
        super().__init__(file, protocol=2)
        self.legacy = legacy

    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        kind = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<i8": "LongStorage"}
        name = _Global("torch", kind[value.values.dtype.str])
        found = ("storage", name, value.key, "cpu", value.values.size)
        return (*found, None) if self.legacy else found

    def save_global_name(self, value):
        self.write(b"c" + f"{value.module}\n{value.name}\n".encode())

    def save_call(self, value):
        self.save(value.called)
        self.save(value.arguments)
        self.write(b"R")

    dispatch[_Global] = save_global_name
    dispatch[_Call] = save_call


REBUILD = _Global("torch._utils", "_rebuild_tensor_v2")
ORDERED = _Global("collections", "OrderedDict")


def tensor(key: str, values: np.ndarray, **changes) -> _Call:
    """A contiguous tensor, or one whose offset, shape or strides are others."""
    strides = tuple(s // values.itemsize for s in np.array(values, order="C").strides)
    given = {"offset": 0, "shape": values.shape, "strides": strides} | changes
    storage = _Storage(key, np.ascontiguousarray(values).ravel())
    return _Call(
        REBUILD, storage, given["offset"], given["shape"], given["strides"], False, _Call(ORDERED)
    )


def pickled(value: object, legacy: bool) -> bytes:
    """A pickle of protocol 2."""
    buffer = io.BytesIO()
    _Pickler(buffer, legacy).dump(value)
    return buffer.getvalue()


def state_dict(arrays: dict[str, np.ndarray]) -> dict[str, _Call]:
    return {name: tensor(str(i), array) for i, (name, array) in enumerate(arrays.items())}


def stream(arrays: dict[str, np.ndarray], state: bytes | None = None) -> bytes:
    """The layout before PyTorch 1.6."""
    head = b"".join(
        pickled(part, True)
        for part in (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True})
    )
    body = pickled(state_dict(arrays), True) if state is None else state
    keys = [str(i) for i in range(len(arrays))]
    tail = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in arrays.values())
    return head + body + pickled(keys, True) + tail


def archive(
    arrays: dict[str, np.ndarray],
    state: bytes | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """The layout since PyTorch 1.6."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        body = pickled(state_dict(arrays), False) if state is None else state
        file.writestr("model/data.pkl", body)
        file.writestr("model/byteorder", b"little")
        for i, array in enumerate(arrays.values()):
            file.writestr(f"model/data/{i}", array.tobytes())
        file.writestr("model/version", b"3\n")
    return buffer.getvalue()


def burgess(channels: int, d: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A random state_dict of Burgess et al. 2018's networks, by disentangling-vae's names."""
    arrays = {}

    def layer(name: str, *shape: int, outputs: int) -> None:
        scale = 1.5 / np.sqrt(np.prod(shape) / outputs)
        arrays[f"{name}.weight"] = rng.normal(scale=scale, size=shape).astype(np.float32)
        arrays[f"{name}.bias"] = rng.normal(scale=0.1, size=outputs).astype(np.float32)

    layer("encoder.conv1", 32, channels, 4, 4, outputs=32)
    for name in ("conv2", "conv3", "conv_64"):
        layer(f"encoder.{name}", 32, 32, 4, 4, outputs=32)
    layer("encoder.lin1", 256, 512, outputs=256)
    layer("encoder.lin2", 256, 256, outputs=256)
    layer("encoder.mu_logvar_gen", 2 * d, 256, outputs=2 * d)
    layer("decoder.lin1", 256, d, outputs=256)
    layer("decoder.lin2", 256, 256, outputs=256)
    layer("decoder.lin3", 512, 256, outputs=512)
    for name in ("convT_64", "convT1", "convT2"):
        layer(f"decoder.{name}", 32, 32, 4, 4, outputs=32)
    layer("decoder.convT3", 32, channels, 4, 4, outputs=channels)
    return arrays


def encode(state: dict[str, np.ndarray], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The encoder in NumPy, channels first as PyTorch has it: mean and log variance [n, d]."""
    maps = images.transpose(0, 3, 1, 2).astype(np.float64)
    for name in ("conv1", "conv2", "conv3", "conv_64"):
        maps = np.maximum(_convolution(maps, state, f"encoder.{name}"), 0)
    hidden = maps.reshape(len(maps), -1)
    for name in ("lin1", "lin2"):
        hidden = np.maximum(_dense(hidden, state, f"encoder.{name}"), 0)
    both = _dense(hidden, state, "encoder.mu_logvar_gen")
    return both[:, 0::2], both[:, 1::2]


def decode(state: dict[str, np.ndarray], latents: np.ndarray) -> np.ndarray:
    """The decoder in NumPy: images [n, 64, 64, c]."""
    hidden = latents.astype(np.float64)
    for name in ("lin1", "lin2", "lin3"):
        hidden = np.maximum(_dense(hidden, state, f"decoder.{name}"), 0)
    maps = hidden.reshape(-1, 32, 4, 4)
    for name in ("convT_64", "convT1", "convT2", "convT3"):
        maps = _transposed(maps, state, f"decoder.{name}")
        if name != "convT3":
            maps = np.maximum(maps, 0)
    return (1 / (1 + np.exp(-maps))).transpose(0, 2, 3, 1)


def _dense(values: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    return values @ state[f"{name}.weight"].astype(np.float64).T + state[f"{name}.bias"]


def _convolution(maps: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Kernel 4, stride 2, padding 1."""
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(2, 3))[:, :, ::2, ::2]
    found = np.einsum("nchwij,ocij->nohw", windows, state[f"{name}.weight"], optimize=True)
    return found + state[f"{name}.bias"][:, None, None]


def _transposed(maps: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The adjoint of such a convolution: each value paints its kernel, 2 pixels further on."""
    n, _, height, width = maps.shape
    weight = state[f"{name}.weight"].astype(np.float64)
    painted = np.zeros((n, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for i in range(4):
        for j in range(4):
            part = np.einsum("nchw,co->nohw", maps, weight[:, :, i, j], optimize=True)
            painted[:, :, i : i + 2 * height : 2, j : j + 2 * width : 2] += part
    return painted[:, :, 1:-1, 1:-1] + state[f"{name}.bias"][:, None, None]
