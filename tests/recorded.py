"""Arrays with the figures that other libraries gave on them, of tests/oracle or ../shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from programs import ROOT

HERE = Path(__file__).parent


def load(name: str, folder: str = "oracle") -> dict[str, np.ndarray]:
    """The arrays of a file; the test is skipped where a large one is not beside the repository."""
    for path in (HERE / folder / f"{name}.npz", ROOT.parent / "shared" / folder / f"{name}.npz"):
        if path.is_file():
            with np.load(path) as file:
                return dict(file)
    pytest.skip(f"no file {folder}/{name}.npz in ../shared, where the large ones are")
