"""The machine that a benchmark ran on, and the fastest that it multiplies matrices."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import threadpoolctl

_SIDES, _SECONDS = (512, 1024), 1.0  # of the matrices; how long the products of either are tried


def describe() -> str:
    """Processor, number of cores, load, and the matmul peak at one and two threads."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{name}, {os.cpu_count()} cores{load}; float32 matmul peak "
        f"{matmul_peak(1):.0f} GFLOP/s on one thread, {matmul_peak(2):.0f} on two"
    )


def matmul_peak(threads: int) -> float:
    """The best of NumPy's float32 products over two seconds, GFLOP/s.

    One thread is timed by the process's CPU, which other programs do not lengthen; with more, which
    wait for each other, only the clock on the wall says how fast they are together.
    """
    clock: Callable[[], float] = time.process_time if threads == 1 else time.perf_counter
    with threadpoolctl.threadpool_limits(threads, "blas"):
        return max(2 * side**3 / _fastest_product(side, clock) / 1e9 for side in _SIDES)


def _fastest_product(side: int, clock: Callable[[], float]) -> float:
    a, b = np.random.default_rng(0).random((2, side, side), np.float32)
    out, best, end = np.empty_like(a), float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        started = clock()
        np.matmul(a, b, out=out)
        best = min(best, clock() - started)
    return best
