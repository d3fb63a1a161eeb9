"""PyTorch's files of tensors (.pt), read without PyTorch and without running anything in them.

A .pt is a pickle, and a pickle is a program: unpickled, it can call whatever it names. Here its
opcodes are interpreted one by one, and only those that a state_dict takes: names stay names, and
the two functions that it may call, OrderedDict and torch._utils._rebuild_tensor_v2, are done by
hand. Both layouts are read: the stream of pickles of PyTorch before 1.6 (magic number, protocol,
system, state_dict, keys of storages, storages), and the zip archive since.
"""

from __future__ import annotations

import dataclasses
import io
import math
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.files import InputError

MAX_BYTES = 2**30  # of a file: far above every state_dict of the networks that are read
_MAX_PICKLE = 2**20  # bytes of the part without numbers
_MAX_OPCODES = 200_000
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
}
_ORDERED_DICT = "collections.OrderedDict"
_REBUILD = "torch._utils._rebuild_tensor_v2"
_ALLOWED = (*_TYPES, _ORDERED_DICT, _REBUILD)


class _NoTensorFile(Exception):
    """Why a file is not read: in a few words."""


@dataclasses.dataclass(frozen=True)
class _Name:
    """A global that a pickle names; it is never looked up."""

    name: str


@dataclasses.dataclass(frozen=True)
class _Storage:
    """A block of numbers that a pickle refers to."""

    key: str
    dtype: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage, before its numbers are read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a pickle's list of arguments begins on the stack."""


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads a state_dict: arrays by name, copies of their own.

    Raises:
        InputError: If the file is missing, too large, damaged, cut short, or holds anything but
            tensors by name. Nothing that it holds is executed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a state_dict saved by PyTorch")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: {size} bytes; expected at most {MAX_BYTES}")
    content = path.read_bytes()
    try:
        reader = _read_zip if content[:2] == b"PK" else _read_stream
        return reader(content)
    except _NoTensorFile as error:
        raise InputError(
            f"{path}: {error}; expected a state_dict of tensors alone, saved by torch.save; "
            "nothing in it was executed"
        ) from error
    # What the tokeniser, the archive and shapes can raise where bytes are not what they should be.
    except (
        ValueError,
        EOFError,
        KeyError,
        IndexError,
        TypeError,
        struct.error,
        OverflowError,
        MemoryError,
        RuntimeError,
        NotImplementedError,
        RecursionError,
        zipfile.BadZipFile,
    ) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{path}: damaged or cut short ({reason}); fetch it anew; nothing in it was executed"
        ) from error


def _read_zip(content: bytes) -> dict[str, np.ndarray]:
    """The layout since PyTorch 1.6: ROOT/data.pkl, and ROOT/data/KEY for each storage."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or len(entries) != len(archive.infolist()):
            raise _NoTensorFile("no archive of PyTorch's")
        root = pickles[0].removesuffix("data.pkl")
        left = len(content)  # entries are stored as they are, so together they are no larger

        def entry(name: str, most: int) -> bytes:
            nonlocal left
            if name not in entries:
                raise _NoTensorFile(f"it has no entry {name!r}")
            info = entries[name]
            left -= info.file_size
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > most or left < 0:
                raise _NoTensorFile(f"its entry {name!r} is compressed, too large, or overlaps")
            return archive.read(info)

        if root + "byteorder" in entries and entry(root + "byteorder", 16) != b"little":
            raise _NoTensorFile("its numbers are big-endian")
        state = _load(io.BytesIO(entry(pickles[0], _MAX_PICKLE)))
        return _arrays(state, lambda storage: entry(f"{root}data/{storage.key}", len(content)))


def _read_stream(content: bytes) -> dict[str, np.ndarray]:
    """The layout before PyTorch 1.6: five pickles, then the storages with their sizes before."""
    stream = io.BytesIO(content)
    if _load(stream) != _MAGIC or _load(stream) != _PROTOCOL:
        raise _NoTensorFile("no file of PyTorch's")
    system = _load(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _NoTensorFile("its numbers are big-endian")
    state, keys = _load(stream), _load(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _NoTensorFile("no list of storages")
    storages = {tensor.storage.key: tensor.storage for tensor in _tensors(state).values()}
    if len(set(keys)) != len(keys) or set(keys) != storages.keys():
        raise _NoTensorFile("its storages are not those of its tensors")
    blocks = {}
    for key in keys:
        (size,) = struct.unpack("<q", stream.read(8))
        if size != storages[key].size:
            raise _NoTensorFile(f"storage {key!r} holds {size} numbers, not {storages[key].size}")
        blocks[key] = stream.read(size * np.dtype(storages[key].dtype).itemsize)
    return _arrays(state, lambda storage: blocks[storage.key])


def _tensors(state: Any) -> dict[str, _Tensor]:
    """What a state_dict must be."""
    if not isinstance(state, dict) or not state:
        raise _NoTensorFile("no state_dict")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise _NoTensorFile(f"its entry {str(name)[:60]!r} is no tensor")
    return state


def _arrays(state: Any, numbers: Callable[[_Storage], bytes]) -> dict[str, np.ndarray]:
    """Tensors with their numbers, each within its storage and no larger than it."""
    blocks: dict[str, np.ndarray] = {}
    found = {}
    for name, tensor in _tensors(state).items():
        storage = tensor.storage
        if storage.key not in blocks:
            raw = numbers(storage)
            if len(raw) != storage.size * np.dtype(storage.dtype).itemsize:
                raise _NoTensorFile(f"storage {storage.key!r} is cut short")
            blocks[storage.key] = np.frombuffer(raw, storage.dtype)
        block = blocks[storage.key]
        count = math.prod(tensor.shape)
        last = tensor.offset + sum(
            (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
        )
        if count > len(block) or (count and last >= len(block)):
            raise _NoTensorFile(f"tensor {name[:60]!r} leaves its storage")
        strides = [stride * block.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(block[tensor.offset :], tensor.shape, strides)
        found[name] = view.copy()
    return found


def _load(stream: io.BytesIO) -> Any:
    """Interprets one pickle, up to its STOP; the stream stands behind it then."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for count, (opcode, argument) in enumerate(_opcodes(stream)):
        if count > _MAX_OPCODES:
            raise _NoTensorFile("its pickle is too long")
        name = opcode.name
        if name == "STOP":
            if len(stack) != 1:
                raise _NoTensorFile("its pickle ends early")
            return stack[0]
        if name in _IGNORED:
            continue
        if name in _LITERALS:
            stack.append(argument if name not in _MADE else _MADE[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](stack, argument)
        else:
            raise _NoTensorFile(f"its pickle uses the opcode {name}")
    raise _NoTensorFile("its pickle has no end")


def _opcodes(stream: io.BytesIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """Opcodes with their arguments, which are never larger than the stream."""
    for opcode, argument, _ in pickletools.genops(stream):
        yield opcode, argument


_IGNORED = ("PROTO", "FRAME")
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": _Mark,
}
_LITERALS = (
    *_MADE,
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
)


def _marked(stack: list[Any]) -> list[Any]:
    """Takes what stands above the last mark, and the mark."""
    place = max((i for i, entry in enumerate(stack) if isinstance(entry, _Mark)), default=None)
    if place is None:
        raise _NoTensorFile("its pickle has no mark")
    found = stack[place + 1 :]
    del stack[place:]
    return found


def _tuple_of(count: int) -> Callable[[list[Any], Any], None]:
    def act(stack: list[Any], argument: Any) -> None:
        if len(stack) < count:
            raise _NoTensorFile("its pickle's stack is empty")
        stack[-count:] = [tuple(stack[-count:])]

    return act


def _set_items(stack: list[Any], items: list[Any]) -> None:
    target = stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        raise _NoTensorFile("its pickle sets items of no dictionary")
    target.update(zip(items[::2], items[1::2], strict=True))


def _set_item(stack: list[Any], argument: Any) -> None:
    items = [stack.pop(-2), stack.pop()]
    _set_items(stack, items)


def _append(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise _NoTensorFile("its pickle appends to no list")
    stack[-1].extend(items)


def _name(stack: list[Any], module: str, name: str) -> None:
    full = f"{module}.{name}"
    if full not in _ALLOWED:
        raise _NoTensorFile(f"its pickle names {full[:80]!r}, which is no tensor")
    stack.append(_Name(full))


def _stack_global(stack: list[Any], argument: Any) -> None:
    name, module = stack.pop(), stack.pop()
    _name(stack, str(module), str(name))


def _persistent_id(stack: list[Any], argument: Any) -> None:
    """A storage: ("storage", type, key, location, number of numbers, and None before 1.6)."""
    match stack.pop():
        case ("storage", _Name(kind), str(key), str(), int(size), *rest) if (
            kind in _TYPES and rest in ([], [None]) and 0 <= size <= MAX_BYTES
        ):
            stack.append(_Storage(key, _TYPES[kind], size))
        case _:
            raise _NoTensorFile("its pickle refers to something that is no storage")


def _reduce(stack: list[Any], argument: Any) -> None:
    """The two calls that a state_dict takes."""
    arguments, called = stack.pop(), stack.pop()
    match called, arguments:
        case _Name("collections.OrderedDict"), ():
            stack.append({})
        case _Name("torch._utils._rebuild_tensor_v2"), (
            _Storage() as storage,
            int(offset),
            tuple(shape),
            tuple(strides),
            bool(),
            dict(),
            *_,
        ) if len(shape) == len(strides) <= 8 and all(
            type(value) is int and 0 <= value <= MAX_BYTES for value in (offset, *shape, *strides)
        ):
            stack.append(_Tensor(storage, offset, shape, strides))
        case _:
            raise _NoTensorFile("its pickle calls something that makes no tensor")


def _build(stack: list[Any], argument: Any) -> None:
    """A state_dict's attributes (its metadata), which are not needed."""
    stack.pop()
    if not isinstance(stack[-1], dict):
        raise _NoTensorFile("its pickle sets attributes of no state_dict")


_ACTIONS: dict[str, Callable[[list[Any], Any], None]] = {
    "TUPLE": lambda stack, _: stack.append(tuple(_marked(stack))),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "SETITEM": _set_item,
    "SETITEMS": lambda stack, _: _set_items(stack, _marked(stack)),
    "APPEND": lambda stack, _: _append(stack, [stack.pop()]),
    "APPENDS": lambda stack, _: _append(stack, _marked(stack)),
    "GLOBAL": lambda stack, argument: _name(stack, *argument.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "BINPERSID": _persistent_id,
    "REDUCE": _reduce,
    "BUILD": _build,
}
