"""The two slow things of scoring: DCI's trees, and encoding all of dSprites.

Run it as `python benchmarks/score_throughput.py` on a quiet machine; it takes some six minutes.
"""

import time

import numpy as np
from machine import describe, matmul_peak

import data
import models
from data import dsprites
from reproduce import program
from reproduce.metrics.dci import dci
from reproduce.training import recipes

POINTS, TEST_POINTS, LATENTS = 10_000, 5_000, 10
# What others encode for their metrics: pairs and groups of 64 images, drawn anew for each.
THEIR_IMAGES = {"BetaVAE score": 1_900_000, "FactorVAE score": 1_000_000}


def time_dci() -> None:
    """DCI with trees on one core and on all, on latents that mix the factors a little."""
    rng = np.random.default_rng(0)
    sizes = dsprites.FACTOR_SIZES
    factors = np.stack([rng.integers(s, size=POINTS + TEST_POINTS) for s in sizes], axis=1)
    scaled = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    mixing = np.eye(5, LATENTS) + 0.2 * rng.normal(size=(5, LATENTS))
    latents = scaled @ mixing + 0.2 * rng.normal(size=(len(factors), LATENTS))
    parts = (latents[:POINTS], factors[:POINTS], latents[POINTS:], factors[POINTS:])
    seconds, found = {}, {}
    for n_jobs in (1, -1):
        started = time.perf_counter()
        found[n_jobs] = dci(*parts, n_jobs=n_jobs)
        seconds[n_jobs] = time.perf_counter() - started
    one, all_cores = found[1], found[-1]
    np.testing.assert_array_equal(one.importance, all_cores.importance)
    ratio = seconds[1] / seconds[-1]
    print(f"DCI with trees, {POINTS} training points, 5 factors: the same figures")
    print(
        f"  one core {seconds[1]:.0f} s, all cores {seconds[-1]:.0f} s: {ratio:.2f} x", flush=True
    )


def time_encoding() -> None:
    """Encoding every image of dSprites once, with the network of Locatello et al. 2019."""
    threads = program.num_cores()
    program.start_tensorflow(threads)
    from reproduce.training import trained_model

    dataset = data.load("dsprites")
    settings = recipes.RECIPES["locatello2019"].settings
    model = models.build(settings, dataset.image_shape, seed=0)
    trained_model.encode(model, dataset, np.arange(1_000))  # traces
    started = time.perf_counter()
    trained_model.encode(model, dataset, np.arange(len(dataset)))
    seconds = time.perf_counter() - started
    rate = len(dataset) / seconds
    # A kernel multiplies once at every place of its output; a dense one has one place.
    products = sum(
        int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1]))
        for layer in model.encoder.layers
        if hasattr(layer, "kernel")
    )
    share = 2 * products * rate / 1e9 / matmul_peak(threads)
    print(
        f"encoding all {len(dataset)} images once: {seconds:.0f} s, {rate:.0f} images/s, "
        f"{share:.2f} of the matmul peak on {threads} threads"
    )
    for metric, images in THEIR_IMAGES.items():
        print(f"  {metric} by encoding anew: {images} images, {images / rate:.0f} s at this rate")


if __name__ == "__main__":
    print(describe())
    time_dci()
    time_encoding()
