"""A real browser for the tests of pages, where the machine has one."""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest

PATIENCE = 180_000  # ms; a busy machine must fail no test
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@contextlib.contextmanager
def launched():
    """Chromium, or a skip that says what is missing."""
    if _CHROMIUM is None:
        pytest.skip("needs Chromium: chromium or chromium-browser on the PATH")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra `test`")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=_CHROMIUM,
            args=["--disable-gpu", "--disable-quic", "--disable-background-networking"],
            chromium_sandbox=os.geteuid() != 0,
            timeout=PATIENCE,
        )
        yield found
        found.close()
