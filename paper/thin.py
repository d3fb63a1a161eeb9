"""What the paper keeps of large result files: just as much as its figures show.

Thinning what was thinned before changes nothing, so that figures are the same from full results
and from the small ones of paper/results.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

Strips = dict[str, np.ndarray]

NUM_AXES = 4  # traversals shown of a basis
_NULLS = ("haar/mig", "haar/traversal_purity")


def null(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The draws of Haar-random bases of all latents as float16: enough for a histogram.

    No p-value is computed from them; those stand in the tables, which are kept as they are.
    """
    return {key: arrays[key].astype(np.float16) for key in _NULLS if key in arrays}


def strips(arrays: dict[str, np.ndarray], table: pd.DataFrame) -> Strips:
    """The traversals of a few axes of the learned basis and of one random basis.

    Chosen without labels: the live axes that change the image most, which need the shortest step
    for the same change.

    Args:
        arrays: traversals.npz: `learned/frames` and `random_0/frames`, uint8 [m, f, h, w, c]; if
            it was thinned before, `learned/axes` and `random_0/axes` as well.
        table: traversals.csv: basis, axis, step, dead.

    Returns:
        For each basis `frames` and `axes`, int [at most NUM_AXES].
    """
    kept: Strips = {}
    for basis in ("learned", "random_0"):
        frames = arrays.get(f"{basis}/frames")
        if frames is None:
            continue
        axes = arrays.get(f"{basis}/axes")
        if axes is None:
            rows = table[(table["basis"] == basis) & ~table["dead"].astype(bool)]
            axes = rows.sort_values("step", kind="stable")["axis"].to_numpy(int)[:NUM_AXES]
            frames = frames[axes]
        kept |= {f"{basis}/frames": frames, f"{basis}/axes": axes}
    return kept
