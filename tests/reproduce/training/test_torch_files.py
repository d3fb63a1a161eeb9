"""PyTorch's files are read in both layouts; hostile and damaged ones are refused, unexecuted."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch_by_hand as by_hand

from data.files import InputError
from reproduce.training import torch_files

ARRAYS = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a.bias": np.array([0.5, -1.5]),
    "count": np.array(7, np.int64),
}
LAYOUTS = (by_hand.stream, by_hand.archive)


def read(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    return torch_files.read(path)


def refusal(tmp_path, content):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert "model.pt" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_come_back_as_they_were(tmp_path, layout):
    found = read(tmp_path, layout(ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_views_of_a_storage(tmp_path, layout):
    legacy = layout is by_hand.stream
    values = np.arange(12, dtype=np.float32)
    view = by_hand.tensor("0", values, offset=1, shape=(2, 3), strides=(1, 4))
    found = read(tmp_path, layout({"x": values}, by_hand.pickled({"x": view}, legacy)))
    np.testing.assert_array_equal(found["x"], [[1, 5, 9], [2, 6, 10]])


class _Exploit:
    """What a hostile pickle does when it is loaded: it calls whatever it likes."""

    def __init__(self, called, *arguments):
        self.called, self.arguments = called, arguments

    def __reduce__(self):
        return self.called, self.arguments


def exploits(marker):
    """Pickles that would each make the file `marker` if they were run."""
    code = f"open({str(marker)!r}, 'w').close()"
    yield pickle.dumps({"x": _Exploit(exec, code)}, protocol=2)
    yield pickle.dumps({"x": _Exploit(exec, code)}, protocol=4)  # STACK_GLOBAL
    yield pickle.dumps({_Exploit(exec, code): 1}, protocol=2)
    yield f"(cbuiltins\nexec\nV{code}\no.".encode()  # OBJ
    yield f"(V{code}\nibuiltins\nexec\n.".encode()  # INST
    yield f"cbuiltins\nexec\n(V{code}\ntR.".encode()
    yield f"ctorch._utils\n_rebuild_tensor_v2.__globals__\n(V{code}\ntR.".encode()
    yield b"ccollections\nOrderedDict\n(cos\nsystem\ntR."
    yield f"Pexec: {code}\n.".encode()  # PERSID
    # A persistent id whose type is a function.
    yield b"\x80\x02(\x8c\x07storagecos\nsystem\n\x8c\x010\x8c\x03cpuK\x01tQ."
    yield b"\x80\x02}(X\x01\x00\x00\x00xcbuiltins\nexec\nub."  # BUILD


@pytest.mark.parametrize("number", range(11))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_hostile_pickles_are_refused_and_nothing_is_executed(tmp_path, layout, number):
    marker = tmp_path / "executed"
    hostile = list(exploits(marker))
    assert len(hostile) == 11
    refusal(tmp_path, layout({}, hostile[number]))
    refusal(tmp_path, hostile[number])
    assert not marker.exists()


def test_the_exploits_are_real(tmp_path):
    marker = tmp_path / "executed"
    pickle.loads(next(exploits(marker)))
    assert marker.exists()


def test_bombs_are_refused(tmp_path):
    zeros = {"x": np.zeros(2**20, np.float32)}
    bomb = by_hand.archive(zeros, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 10_000
    assert "compressed" in refusal(tmp_path, bomb)
    # A view that is far larger than its storage, a storage that is none, and strides beyond it.
    one = np.zeros(1, np.float32)
    huge = {"shape": (2**15, 2**15), "strides": (0, 0)}
    for changes in (huge, {"offset": 1}, {"shape": (1, 2), "strides": (1, 1)}, {"shape": (-1,)}):
        for layout in LAYOUTS:
            state = {"x": by_hand.tensor("0", one, **changes)}
            content = layout({"x": one}, by_hand.pickled(state, layout is by_hand.stream))
            refusal(tmp_path, content)
    # A memo of four thousand million places, a string of as many bytes, and a mark after a mark.
    refusal(tmp_path, by_hand.stream({}, b"\x80\x02Nr\xff\xff\xff\xff."))
    refusal(tmp_path, by_hand.stream({}, b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0fabc."))
    refusal(tmp_path, by_hand.stream({}, b"\x80\x02" + b"(" * 300_000 + b"."))


def test_overlapping_entries_are_refused(tmp_path):
    """Many names for the same bytes, so that what is read is more than the file holds."""
    block = np.zeros(2**16, np.float32)
    names = [f"x{i}" for i in range(40)]
    state = {name: by_hand.tensor(str(i), block) for i, name in enumerate(names)}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("m/data.pkl", by_hand.pickled(state, False))
        file.writestr("m/data/0", block.tobytes())
        first = file.getinfo("m/data/0")
        for i in range(1, len(names)):
            info = zipfile.ZipInfo(f"m/data/{i}")
            for key in ("file_size", "compress_size", "CRC", "header_offset"):
                setattr(info, key, getattr(first, key))
            file.filelist.append(info)
    refusal(tmp_path, content.getvalue())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_and_changed_files_are_refused_in_one_line(tmp_path, layout):
    content = layout(ARRAYS)
    for kept in range(0, len(content), 37):
        refusal(tmp_path, content[:kept])
    rng = np.random.default_rng(0)
    for _ in range(150):  # a changed byte may go unnoticed, but nothing else may happen
        place, value = rng.integers(len(content)), rng.integers(256)
        changed = bytearray(content)
        changed[place] = value
        try:
            read(tmp_path, bytes(changed))
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_what_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        torch_files.read(tmp_path / "missing.pt")
    for value in ({}, [1], {"x": 1}, {1: by_hand.tensor("0", np.zeros(1, np.float32))}):
        refusal(tmp_path, by_hand.stream({}, by_hand.pickled(value, True)))
    refusal(tmp_path, b"")
    refusal(tmp_path, b"PK\x03\x04 no archive")
