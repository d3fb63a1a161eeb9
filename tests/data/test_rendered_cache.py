"""A rendered array is kept, and rendered anew where its file is damaged or another version's."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from data import rendered_cache
from data.dataset import Dataset

ARRAY = np.arange(60, dtype=np.uint8).reshape(5, 12)


def test_an_array_is_rendered_once(tmp_path):
    calls = []

    def render():
        calls.append(1)
        return ARRAY

    for _ in range(2):
        found = rendered_cache.load(tmp_path / "a.u8", ARRAY.shape, render)
        np.testing.assert_array_equal(found, ARRAY)
    assert len(calls) == 1


@pytest.mark.parametrize("loads", [1, 2])  # after the second one it is known to be whole
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer"])
def test_a_damaged_file_is_rendered_anew_and_logged(tmp_path, caplog, damage, loads):
    file = tmp_path / "a.u8"
    for _ in range(loads):
        rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    good = file.read_bytes()
    bad = {"flip": b"\x01" + good[1:], "cut": good[:-1], "empty": b"", "longer": good + b"x"}
    file.write_bytes(bad[damage])
    with caplog.at_level(logging.WARNING):
        found = rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    assert f"{file} is damaged" in caplog.text
    np.testing.assert_array_equal(found, ARRAY)
    assert file.read_bytes() == good


def test_another_versions_file_is_rendered_anew_and_logged(tmp_path, caplog):
    file = tmp_path / "a.u8"
    rendered_cache.load(file, ARRAY.shape, lambda: ARRAY + 1)
    found = rendered_cache.load(
        file, ARRAY.shape, lambda: ARRAY, lambda array: np.array_equal(array[0], ARRAY[0])
    )
    assert f"{file} is another version's" in caplog.text
    np.testing.assert_array_equal(found, ARRAY)


def test_a_file_is_held_against_its_checksum_once(tmp_path, monkeypatch):
    file = tmp_path / "a.u8"
    for _ in range(2):
        rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    monkeypatch.setattr(rendered_cache.hashlib, "sha256", None)
    found = rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    np.testing.assert_array_equal(found, ARRAY)
    assert not found.flags.writeable


def test_a_fingerprint_is_computed_once_and_for_all_that_it_is_made_of(tmp_path, monkeypatch):
    file = tmp_path / "a.u8"
    for _ in range(2):
        storage = rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    factors = np.arange(5)[:, None]

    def of(names):
        return Dataset("few", storage, 8, (3, 4, 1), factors, names, (5,))

    expected = of(("a",)).fingerprint
    assert rendered_cache.with_fingerprint(of(("a",)), file).fingerprint == expected
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "fingerprint", property(lambda self: self.known_fingerprint))
        assert rendered_cache.with_fingerprint(of(("a",)), file).fingerprint == expected
    # Under another name, or of another array, it is another.
    other = of(("b",)).fingerprint
    assert rendered_cache.with_fingerprint(of(("b",)), file).fingerprint == other != expected
    rendered_cache.load(file, (4, 15), lambda: ARRAY[::-1], lambda array: False)
    storage = rendered_cache.load(file, ARRAY.shape, lambda: ARRAY)
    reversed_rows = rendered_cache.with_fingerprint(of(("a",)), file).fingerprint
    assert reversed_rows == of(("a",)).fingerprint != expected
