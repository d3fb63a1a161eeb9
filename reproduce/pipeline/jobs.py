"""Chains of programs run side by side, with one progress bar over all of them.

Where they run is an executor's business (`pipeline.executors`); what is done is read from files.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Protocol

import tqdm

from data.files import exclusive
from reproduce.program import RunError
from reproduce.training.run_directory import RunDirectory

_POLL_SECONDS = 0.5
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


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
    """Steps that follow one another on one run directory, whose log they share.

    Attributes:
        run: Where they run.
        num_steps: Training steps, of which progress is measured; 0 if nothing is trained.
        steps: In their order.
    """

    run: RunDirectory
    num_steps: int
    steps: tuple[Step, ...]

    def is_done(self) -> bool:
        """Whether every step is done."""
        return all(step.is_done() for step in self.steps)


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a chain ended before its last step.

    Attributes:
        where: The step's module, or the worker.
        status: The step's exit status, or how it ended.
        line: The last line of its output.
    """

    where: str
    status: str
    line: str

    def __str__(self) -> str:
        return f"{self.where} ({self.status}): {self.line}"


class Executor(Protocol):
    """Where chains run: this machine or a cluster."""

    def submit(self, chain: Chain) -> Future[Failure | None]:
        """Has `run_chain` called, here or elsewhere, as soon as there is room."""

    def stop(self) -> None:
        """Ends whatever runs, and starts nothing more."""


class Leash:
    """The processes that a chain's steps run in; pulling it ends them and lets no more start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self.is_pulled = False

    def pull(self) -> None:
        """Ends every process."""
        with self._lock:
            self.is_pulled = True
            for process in self._processes:
                process.terminate()

    def run(self, step: Step, log: Path, environment: Mapping[str, str]) -> int:
        """Runs a step on one thread, its output appended to a log; returns its exit status."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            output.write(f"$ python -m {' '.join(step.arguments)}\n".encode())
            output.flush()
            with self._lock:
                if self.is_pulled:
                    return -signal.SIGTERM
                process = subprocess.Popen(
                    [sys.executable, "-m", "reproduce.pipeline.leashed", *step.arguments],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=os.environ | _ONE_THREAD | dict(environment),
                )
                self._processes.add(process)
            try:
                return process.wait()
            finally:
                self._processes.discard(process)
                assert process.stdin is not None
                process.stdin.close()


def run_chain(
    chain: Chain, environment: Mapping[str, str] | None = None, leash: Leash | None = None
) -> Failure | None:
    """Runs the steps of a chain that are not done, until one fails.

    Args:
        chain: What to run.
        environment: Variables for its programs, besides this process's own.
        leash: By which it can be ended.

    Returns:
        What failed, or None.
    """
    leash, log = leash or Leash(), chain.run.path / "log.txt"
    for step in chain.steps:
        if step.is_done():
            continue
        _wait_until_free(chain.run, leash)
        status = leash.run(step, log, environment or {})
        if status != 0:
            how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
            return Failure(step.arguments[0], how, _last_line(log))
    return None


def run_chains(
    chains: Sequence[Chain],
    executor: Executor,
    what: str,
    retries: int = 0,
    on_end: Callable[[Chain, Failure | None], object] | None = None,
) -> list[tuple[Chain, Failure]]:
    """Runs chains side by side; what was done before is not done again.

    Args:
        chains: In the order in which they start.
        executor: Where they run.
        what: Names the progress bar.
        retries: How often a failed chain is run again.
        on_end: Called with a chain and what failed, if anything, whenever one has ended.

    Returns:
        The chains that failed at last, and why.
    """
    failures: list[tuple[Chain, Failure]] = []
    todo = [chain for chain in chains if not chain.is_done()]
    num_finished = len(chains) - len(todo)
    total = sum(chain.num_steps for chain in chains)
    with tqdm.tqdm(
        desc=what,
        total=total or len(chains),
        initial=sum(map(_steps_made, chains)) if total else num_finished,
        unit=" steps" if total else " runs",
        unit_scale=True,
        disable=None,
    ) as bar:
        try:
            pending = {executor.submit(chain): (chain, retries) for chain in todo}
            while pending:
                for future in wait(pending, _POLL_SECONDS, FIRST_COMPLETED).done:
                    chain, retries_left = pending.pop(future)
                    failure = _outcome(future)
                    if on_end:
                        on_end(chain, failure)
                    if failure and retries_left:
                        pending[executor.submit(chain)] = (chain, retries_left - 1)
                        continue
                    num_finished += 1
                    if failure:
                        failures.append((chain, failure))
                bar.update((sum(map(_steps_made, chains)) if total else num_finished) - bar.n)
                failed = f", {len(failures)} failed" if failures else ""
                bar.set_postfix_str(f"{num_finished} of {len(chains)} runs done{failed}")
        except BaseException:
            executor.stop()
            raise
    return failures


def run_step(step: Step, log: Path) -> None:
    """Runs one program.

    Raises:
        RunError: If it failed; the message is the program's last line.
    """
    if Leash().run(step, log, {}) != 0:
        raise RunError(f"{step.arguments[0]} failed: {_last_line(log)}")


def _wait_until_free(run: RunDirectory, leash: Leash) -> None:
    """A step of a killed worker may hold the run for a moment, or until it ends by itself."""
    run.path.mkdir(parents=True, exist_ok=True)
    while not leash.is_pulled:
        try:
            with exclusive(run.path / ".lock", wait=False):
                return
        except BlockingIOError:
            time.sleep(_POLL_SECONDS)


def _outcome(future: Future[Failure | None]) -> Failure | None:
    """What failed; an executor that lost the worker has an exception in its place."""
    error = future.exception()
    if error is None:
        return future.result()
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return Failure("worker", type(error).__name__, lines[0])


def _last_line(log: Path) -> str:
    """Of the output of the step that was the last to write to a log."""
    last = log.read_text(errors="replace").strip().splitlines()[-1]
    return "no output" if last.startswith("$ python -m ") else last.strip()


def _steps_made(chain: Chain) -> int:
    """Training steps made so far, read from the last line of timings.csv."""
    if not chain.num_steps:
        return 0
    try:
        with chain.run.timings_file.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 100))
            return int(file.read().strip().splitlines()[-1].split(b",")[0])
    except (OSError, ValueError, IndexError):
        return 0
