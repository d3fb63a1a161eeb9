"""Bases a second in null distributions: one evaluation a basis, as others do, and batched.

10,000 points, 10 latents, dSprites' five factors. Run it as `python benchmarks/basis_throughput.py`
on a quiet machine; the rounds are interleaved, and medians of five are printed. The values of both
ways are compared as well.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import sklearn.metrics
from machine import describe

from data import dsprites
from reproduce.basis import bases
from reproduce.metrics.basis_scorer import BasisScorer
from reproduce.metrics.correlation import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)
from reproduce.metrics.factor_vae_score import factor_vae_score
from reproduce.metrics.information import discretise, entropies, mutual_information
from reproduce.metrics.labelled_latents import LabelledLatents
from reproduce.metrics.mig import mig
from reproduce.metrics.mig_sup import mig_sup
from reproduce.metrics.modularity import modularity
from reproduce.metrics.sap import sap_continuous

POINTS, LATENTS, ROUNDS = 10_000, 10, 5
WANTED = {"factor_vae": 200}  # bases a second, batched; 5,000 for all others
Score = Callable[[np.ndarray], float]


def one_at_a_time(factors: np.ndarray) -> dict[str, list[tuple[str, Score]]]:
    """Each metric of one basis' latents, from scratch: by name, the slowest way first."""
    h = entropies(factors)

    def of_pairs(latents: np.ndarray) -> float:
        bins = discretise(latents)
        information = [[sklearn.metrics.mutual_info_score(g, b) for g in factors.T] for b in bins.T]
        return float(mig(np.array(information), h))

    def of_covariance(metric: Callable[[np.ndarray], np.ndarray]) -> Score:
        return lambda latents: float(metric(np.cov(latents, rowvar=False)))

    return {
        "mig": [
            ("scikit-learn, a pair at a time", of_pairs),
            ("NumPy", lambda latents: float(mig(mutual_information(latents, factors), h))),
        ],
        "mig_sup": [
            ("NumPy", lambda latents: float(mig_sup(mutual_information(latents, factors), h)))
        ],
        "modularity": [
            ("NumPy", lambda latents: float(modularity(mutual_information(latents, factors))))
        ],
        "sap_continuous": [("NumPy", lambda latents: sap_continuous(latents, factors))],
        "gaussian_total_correlation": [("NumPy", of_covariance(gaussian_total_correlation))],
        "gaussian_wasserstein_correlation": [
            ("NumPy", of_covariance(gaussian_wasserstein_correlation))
        ],
        "factor_vae": [("re-sampling", lambda latents: factor_vae_score(latents, factors))],
    }


def main() -> None:
    """Measures and prints."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=POINTS) for size in dsprites.FACTOR_SIZES], axis=1)
    latents = factors @ rng.normal(size=(5, LATENTS)) / 10 + rng.normal(size=(POINTS, LATENTS))
    draws = bases.haar(1_000, LATENTS, rng)
    print(f"{describe()}; {POINTS} points, {LATENTS} latents, 5 factors; bases/s")
    for metric, ways in one_at_a_time(factors).items():
        scorer = BasisScorer(LabelledLatents(latents, factors), [metric], seed=0)
        few = scorer.closed_forms(draws[:3])[metric]  # compiles
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, score in ways:
                started = time.perf_counter()
                values = [score(latents @ basis) for basis in draws[:3]]
                rates.setdefault(name, []).append(3 / (time.perf_counter() - started))
                np.testing.assert_allclose(values, few, atol=1e-6)
            started = time.perf_counter()
            scorer.closed_forms(draws)
            rates.setdefault("batched", []).append(len(draws) / (time.perf_counter() - started))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        for name, median in medians.items():
            ratio = medians["batched"] / median
            end = f"   {ratio:7.1f} x slower than batched"
            if name == "batched":
                wanted = WANTED.get(metric, 5_000)
                end = f"   {'as wanted' if median >= wanted else 'less than wanted'} ({wanted})"
            print(f"{metric:33} {name:31} {median:9.1f}{end}", flush=True)


if __name__ == "__main__":
    main()
