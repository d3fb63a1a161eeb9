"""Bases a second in a null distribution of MIG: one at a time, as others do, and batched.

10,000 points, 10 latents, dSprites' five factors. Run it as `python benchmarks/basis_throughput.py`
on a quiet machine; the rounds are interleaved, and medians of five are printed.
"""

import os
import statistics
import time

import numpy as np
import sklearn.metrics

from data import dsprites
from reproduce import bases
from reproduce.metrics.information import (
    InformationEngine,
    discretise,
    entropies,
    mutual_information,
)
from reproduce.metrics.mig import mig

POINTS, LATENTS, ROUNDS = 10_000, 10, 5


def main() -> None:
    """Measures and prints."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=POINTS) for size in dsprites.FACTOR_SIZES], axis=1)
    latents = factors @ rng.normal(size=(5, LATENTS)) / 10 + rng.normal(size=(POINTS, LATENTS))
    h = entropies(factors)
    engine = InformationEngine(latents, factors)

    def scikit_learn(basis: np.ndarray) -> np.ndarray:
        bins = discretise(latents @ basis)
        information = [[sklearn.metrics.mutual_info_score(g, b) for g in factors.T] for b in bins.T]
        return mig(np.array(information), h)

    def numpy(basis: np.ndarray) -> np.ndarray:
        return mig(mutual_information(latents @ basis, factors), h)

    def batched(many: np.ndarray) -> np.ndarray:
        return mig(engine(many), h)

    draws = bases.haar(1_000, LATENTS, rng)
    batched(draws[:4])  # compiles
    ways = {
        "scikit-learn, a pair at a time": (lambda: [scikit_learn(q) for q in draws[:3]], 3),
        "NumPy, a basis at a time": (lambda: [numpy(q) for q in draws[:20]], 20),
        "InformationEngine, batched": (lambda: batched(draws), len(draws)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (work, count) in ways.items():
            started = time.perf_counter()
            work()
            rates[name].append(count / (time.perf_counter() - started))
    np.testing.assert_allclose(batched(draws[:3]), [scikit_learn(q) for q in draws[:3]], atol=1e-9)
    first = statistics.median(next(iter(rates.values())))
    print(f"{os.cpu_count()} cores, {POINTS} points, {LATENTS} latents, 5 factors")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:32} {median:8.0f} bases/s   x {median / first:6.1f}")


if __name__ == "__main__":
    main()
