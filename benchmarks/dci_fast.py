"""How well `dci_fast` agrees with `dci` over bases, and how much faster it is.

Example:
    python benchmarks/dci_fast.py
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import scipy.stats
import threadpoolctl

from reproduce.basis import bases
from reproduce.metrics.dci import Dci, dci, dci_fast

ORACLE = Path(__file__).parents[1] / "tests" / "oracle"
NUM_BASES = 24


def timed(function, *arrays) -> tuple[Dci, float]:
    """What a form of DCI gives, and its CPU seconds."""
    start = time.process_time()
    return function(*arrays), time.process_time() - start


def main() -> None:
    """Half of the bases are Haar-random, half are a third of the way from the learned one."""
    for name in ("small_aligned", "small_mixed", "small_rotated"):
        with np.load(ORACLE / f"{name}.npz") as file:
            train, factors, test, factors_test = (
                file[key]
                for key in ("latents_train", "factors_train", "latents_test", "factors_test")
            )
        drawn = bases.haar(NUM_BASES, train.shape[1], np.random.default_rng(0))
        drawn[::2] = [bases.geodesic(one, (1 / 3,))[0] for one in drawn[::2]]
        exact, fast, seconds = [], [], np.zeros(2)
        for basis in drawn:
            arrays = (train @ basis, factors, test @ basis, factors_test)
            (found, slow), (near, quick) = timed(dci, *arrays), timed(dci_fast, *arrays)
            exact.append((found.disentanglement, found.informativeness))
            fast.append((near.disentanglement, near.informativeness))
            seconds += slow, quick
        exact, fast = np.transpose(exact), np.transpose(fast)
        of_random = np.arange(NUM_BASES) % 2 == 1
        rank = scipy.stats.spearmanr(exact[0], fast[0]).statistic
        informed = scipy.stats.spearmanr(exact[1, of_random], fast[1, of_random]).statistic
        largest = np.abs(exact[0] - fast[0]).max()
        print(
            f"{name}: rank correlation {rank:.3f}, largest difference {largest:.3f}, of "
            f"informativeness over Haar-random bases {informed:.3f}, "
            f"{seconds[0] / seconds[1]:.0f} times as fast, {seconds[1] / NUM_BASES:.3f} CPU s"
        )


if __name__ == "__main__":
    with threadpoolctl.threadpool_limits(1):
        main()
