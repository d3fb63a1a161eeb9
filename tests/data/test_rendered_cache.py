"""A rendered array is kept, and rendered anew where its file is damaged or another version's."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from data import rendered_cache

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


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer"])
def test_a_damaged_file_is_rendered_anew_and_logged(tmp_path, caplog, damage):
    file = tmp_path / "a.u8"
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
