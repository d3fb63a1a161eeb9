"""Chains of programs run side by side, with one progress bar over all of them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tqdm

from reproduce.program import RunError
from reproduce.runs import RunDirectory


@dataclasses.dataclass(frozen=True)
class Step:
    """One program of the kit.

    Attributes:
        arguments: Module and flags, behind `python -m`.
        target: The file it writes last.
        sources: What it reads; it runs where the target is missing or older than one of them.
    """

    arguments: tuple[str, ...]
    target: Path
    sources: tuple[Path, ...] = ()

    def is_done(self) -> bool:
        """Whether the target is there and no older than every source."""
        if not self.target.exists():
            return False
        made = self.target.stat().st_mtime_ns
        return all(s.exists() and s.stat().st_mtime_ns <= made for s in self.sources)


@dataclasses.dataclass(frozen=True)
class Chain:
    """Steps that follow one another on one run directory, whose log they share."""

    run: RunDirectory
    num_steps: int
    steps: tuple[Step, ...]


def run_chains(chains: Sequence[Chain], workers: int, what: str) -> None:
    """Runs chains, so many at a time; what was done before is not done again.

    Args:
        chains: In the order in which they start.
        workers: How many programs run at once, each on one thread.
        what: Names the progress bar.

    Raises:
        RunError: If programs failed, after all others are done; it names them and their logs.
    """
    failures: list[str] = []
    processes: set[subprocess.Popen[bytes]] = set()
    stopping = threading.Event()

    def run_chain(chain: Chain) -> None:
        for step in chain.steps:
            if stopping.is_set():
                return
            if step.is_done():
                continue
            status = _run(step, chain.run.path / "log.txt", processes)
            if status != 0 and not stopping.is_set():
                failures.append(f"{step.arguments[0]} on {chain.run.path} ({status})")
                return

    total = sum(chain.num_steps for chain in chains)
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm.tqdm(desc=what, total=total, unit=" steps", unit_scale=True, disable=None) as bar,
    ):
        pending = [pool.submit(run_chain, chain) for chain in chains]
        try:
            while not all(future.done() for future in pending):
                time.sleep(0.5)
                bar.update(sum(map(_steps_made, chains)) - bar.n)
                finished = sum(future.done() for future in pending)
                bar.set_postfix_str(f"{finished} of {len(chains)} runs done")
        except BaseException:
            stopping.set()
            for process in list(processes):
                process.terminate()
            raise
        bar.update(sum(map(_steps_made, chains)) - bar.n)
    for future in pending:
        future.result()
    if failures:
        raise RunError(f"failed: {'; '.join(failures)}; see log.txt there, then run this again")


def run_step(step: Step, log: Path) -> None:
    """Runs one program.

    Raises:
        RunError: If it failed; the message is the program's last line.
    """
    if _run(step, log, set()) != 0:
        lines = log.read_text().strip().splitlines()
        raise RunError(f"{step.arguments[0]} failed: {lines[-1] if lines else 'no output'}")


def _run(step: Step, log: Path, processes: set[subprocess.Popen[bytes]]) -> int:
    """Runs a program on one thread, its output appended to a log; returns its exit status."""
    log.parent.mkdir(parents=True, exist_ok=True)
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    with log.open("ab") as output:
        output.write(f"$ python -m {' '.join(step.arguments)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", *step.arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | one_thread,
        )
        processes.add(process)
        try:
            return process.wait()
        finally:
            processes.discard(process)


def _steps_made(chain: Chain) -> int:
    """Training steps made so far, read from the last line of timings.csv."""
    try:
        with chain.run.timings_file.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 100))
            return int(file.read().strip().splitlines()[-1].split(b",")[0])
    except (OSError, ValueError, IndexError):
        return 0
