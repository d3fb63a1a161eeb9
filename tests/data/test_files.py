"""Files that are either whole or absent, and reads that name what is wrong."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import numpy as np
import pytest

from data.files import (
    InputError,
    as_strings,
    atomic_write,
    check_outputs,
    exclusive,
    load_npz,
    save_npz,
    write_text,
)


def names_in(folder):
    return sorted(file.name for file in folder.iterdir())


def test_atomic_write_replaces_the_old_file(tmp_path):
    file = tmp_path / "new" / "file"  # its folder is made
    write_text(file, "old")
    write_text(file, "größer")
    assert file.read_bytes() == "größer".encode()
    assert names_in(file.parent) == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_atomic_write_leaves_the_old_file_on_an_exception(tmp_path, error):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail_half_way():
        with atomic_write(file) as stream:
            stream.write(b"half of the ne")
            stream.flush()
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert file.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_atomic_write_shows_nothing_before_the_block_ends(tmp_path):
    file = tmp_path / "file"
    with atomic_write(file) as stream:
        stream.write(b"new")
        stream.flush()
        assert not file.exists()
    assert file.read_bytes() == b"new"


def test_atomic_write_keeps_to_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("compress", [False, True])
def test_npz_holds_the_arrays_and_no_time(tmp_path, compress):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"])}
    save_npz(tmp_path / "a.npz", arrays, compress)
    for name, array in load_npz(tmp_path / "a.npz").items():
        np.testing.assert_array_equal(array, arrays[name], strict=True)
    entries = zipfile.ZipFile(tmp_path / "a.npz").infolist()
    assert len(entries) == 2
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def good_npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(1000), b=np.arange(3))
    return buffer.getvalue()


def pickled_npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{"an": "object"}], dtype=object))
    return buffer.getvalue()


def pickle_file() -> bytes:
    return np.array([print], dtype=object).dumps()


def single_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def with_a_flipped_bit() -> bytes:
    content = bytearray(good_npz())
    content[2000] ^= 4  # within the values of `a`
    return bytes(content)


def without_an_npy_header() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (good_npz()[:-30], "damaged"),
        (good_npz()[: len(good_npz()) // 2], "damaged"),
        (b"", "damaged"),
        (b"step,loss\n1,2\n", "damaged or no .npz"),
        (with_a_flipped_bit(), "damaged"),
        (without_an_npy_header(), "damaged"),
        (pickled_npz(), "pickled objects, which are not read"),
        (pickle_file(), "damaged or no .npz"),
        (single_array(), "damaged or no .npz"),
    ],
)
def test_load_npz_names_what_is_wrong_in_one_line(tmp_path, content, message):
    file = tmp_path / "file.npz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        load_npz(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_wrong_byte_is_harmless_or_named(tmp_path, save):
    buffer = io.BytesIO()
    save(buffer, a=np.arange(30))
    good, file = buffer.getvalue(), tmp_path / "file.npz"
    rng = np.random.default_rng(0)
    caught = 0
    for place in range(len(good)):
        content = bytearray(good)
        content[place] ^= rng.integers(1, 256)
        file.write_bytes(content)
        try:
            np.testing.assert_array_equal(load_npz(file).get("a", range(30)), range(30))
        except InputError:
            caught += 1
    assert caught > len(good) / 2


def test_load_npz_names_a_missing_file_and_what_it_should_hold(tmp_path):
    with pytest.raises(InputError, match=r"no such file; expected an \.npz with a, b$"):
        load_npz(tmp_path / "none.npz", ["a", "b"])


def test_load_npz_names_missing_arrays_and_those_there(tmp_path):
    (tmp_path / "file.npz").write_bytes(good_npz())
    with pytest.raises(InputError, match="has no array c, d; it holds a, b"):
        load_npz(tmp_path / "file.npz", ["a", "c", "d"])


def test_lock_is_held_by_one_and_freed_at_the_end(tmp_path):
    with exclusive(tmp_path / "new" / "lock", wait=False):  # its folder is made
        other = exclusive(tmp_path / "new" / "lock", wait=False)
        with pytest.raises(BlockingIOError):
            other.__enter__()
    with exclusive(tmp_path / "new" / "lock", wait=False):
        pass


def test_names_of_any_kind_become_strings():
    assert as_strings(np.array([b"shape", b"scale"])) == ("shape", "scale")
    assert as_strings(["shape", "scale"]) == ("shape", "scale")
    assert all(type(name) is str for name in as_strings(np.array(["shape"])))


def test_an_output_takes_the_place_of_no_input_and_no_other_output(tmp_path):
    given = tmp_path / "r.npz"
    given.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(given)
    new = tmp_path / "new.csv"
    check_outputs([new, tmp_path / "other.csv"], [given])
    for outputs, what in (
        ([given], "an input"),
        ([tmp_path / "link"], "an input"),
        ([tmp_path / "sub" / ".." / "r.npz"], "an input"),
        ([new, new], "another output"),
    ):
        with pytest.raises(InputError, match=f"take the place of {what}"):
            check_outputs(outputs, [given])
    assert given.read_bytes() == b"mine"


def test_a_blank_name_is_refused(tmp_path):
    for path in (" ", tmp_path / "\t"):
        with pytest.raises(InputError, match="blank name"):
            check_outputs([path])


def test_what_the_system_refuses_is_said_of_the_file_that_was_asked_for(tmp_path):
    with (
        pytest.raises(OSError, match=r"out\.csv") as error,
        atomic_write(tmp_path / "out.csv"),
    ):
        raise OSError(27, "File too large")  # as a write beyond a limit, which names no file
    assert error.value.filename == str(tmp_path / "out.csv")
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root, everything can be written
    with pytest.raises(InputError, match=r"out\.csv: .* cannot be written"):
        check_outputs([tmp_path / "out.csv"])


def test_a_folder_and_a_pipe_are_not_missing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, what in ((".", "a folder"), ("pipe", "no regular file")):
        with pytest.raises(InputError, match=what):
            load_npz(tmp_path / name)
