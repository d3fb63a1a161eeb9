"""Chains of programs run side by side, with one progress bar over all of them.

Where they run is an executor's business (`pipeline.executors`); what is done is read from files.
Steps are forks of a process that has imported what they need (`pipeline.warm`), or processes that
are started anew (`pipeline.ends_with_parent`): which of the two, no step and no log can tell.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import IO, Protocol

from data.files import exclusive
from reproduce.pipeline import ends_with_parent, warm
from reproduce.pipeline.forecast import Forecast
from reproduce.program import RunError
from reproduce.training import progress
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


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """Steps that follow one another on one run directory, whose log they share.

    Attributes:
        run: Where they run.
        num_steps: Training steps, of which progress is measured; 0 if nothing is trained.
        steps: In their order.
        after: Chains that have to be done before.
        kind: What it does, whatever its seed: chains of a kind take equally long.
        title: What progress calls it; by default its run.
    """

    run: RunDirectory
    num_steps: int
    steps: tuple[Step, ...]
    after: tuple[Chain, ...] = ()
    kind: str = ""
    title: str = ""

    def __str__(self) -> str:
        return self.title or self.run.path.name

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

    @property
    def leash(self) -> Leash:
        """In which steps run on this machine."""

    def room(self) -> int:
        """How many chains run at once, at this moment."""

    def submit(self, chain: Chain) -> Future[Failure | None]:
        """Has `run_chain` called, here or elsewhere, as soon as there is room."""

    def stop(self) -> None:
        """Ends whatever runs, and starts nothing more."""


class Leash:
    """The processes that steps run in; pulling it ends them and lets no more start.

    Args:
        is_warm: Whether steps are forks of one process that has imported what they need, where
            the system can do that.
    """

    def __init__(self, is_warm: bool = False) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self.is_warm = is_warm and warm.is_possible()  # until such a process could not be started
        self._warm: warm.WarmProcess | None = None
        self.is_pulled = False

    def pull(self) -> None:
        """Ends every process."""
        with self._lock:
            self.is_pulled = True
            for process in self._processes:
                process.terminate()
            if self._warm:
                self._warm.end()

    def close(self) -> None:
        """Lets go of the process that no step needs any more."""
        if self._warm:
            self._warm.close()
            self._warm = None

    def run(self, step: Step, log: Path, environment: Mapping[str, str]) -> int:
        """Runs a step on one thread, its output appended to a log; returns its exit status."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            output.write(f"$ python -m {' '.join(step.arguments)}\n".encode())
            output.flush()
            status = self._run_warm(step, output, environment) if self.is_warm else None
            return self._run_anew(step, output, environment) if status is None else status

    def _run_warm(
        self, step: Step, output: IO[bytes], environment: Mapping[str, str]
    ) -> int | None:
        """Runs it in a warm process; None if there can be none, and then never again."""
        with self._lock:
            if self.is_pulled:
                return -signal.SIGTERM
            if self._warm and self._warm.has_ended():
                self._warm.close()
                self._warm = None
            self._warm = self._warm or warm.WarmProcess(os.environ | _ONE_THREAD)
        status = self._warm.run(step.arguments, output, environment)
        if status is None:
            self.is_warm = False
        return status

    def _run_anew(self, step: Step, output: IO[bytes], environment: Mapping[str, str]) -> int:
        with self._lock:
            if self.is_pulled:
                return -signal.SIGTERM
            process = subprocess.Popen(
                [sys.executable, "-m", ends_with_parent.__name__, *step.arguments],
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
    on_end: Callable[[Chain, Failure | None, datetime.datetime | None], object] | None = None,
) -> dict[Chain, Failure]:
    """Runs chains side by side; what was done before is not done again.

    Args:
        chains: In the order in which they start, but that each waits for what it comes after, and
            is left out if that failed.
        executor: Where they run.
        what: Names the progress bar.
        retries: How often a failed chain is run again.
        on_end: Called whenever a chain has ended: with it, with what failed, if anything, and with
            when all will be done, if that is known and nothing has failed.

    Returns:
        The chains that failed at last, and why.
    """
    pool = _Pool(chains, executor, retries)
    total = sum(chain.num_steps for chain in chains)
    with progress.bar(
        desc=what,
        line="{desc}{postfix}",
        bar_format="{desc}: {percentage:3.0f}%|{bar:10}| {elapsed}{postfix}",
        total=total or len(chains),
    ) as bar:
        try:
            while pool.start():
                for chain, failure in pool.wait(_POLL_SECONDS):
                    if on_end:
                        on_end(chain, failure, None if pool.failures else pool.end())
                bar.n = sum(map(_steps_made, chains)) if total else pool.num_done
                bar.postfix = str(pool)
                bar.refresh()
        except BaseException:
            executor.stop()
            raise
    return pool.failures


class _Pool:
    """Chains that wait, that run, and that have failed."""

    def __init__(self, chains: Sequence[Chain], executor: Executor, retries: int) -> None:
        self.failures: dict[Chain, Failure] = {}
        self._num_chains = len(chains)
        self._executor = executor
        self._retries: dict[Chain, int] = {}
        for chain in chains:  # what comes after something undone may have to be done anew
            if not chain.is_done() or any(before in self._retries for before in chain.after):
                self._retries[chain] = retries
        self._waiting = list(self._retries)
        self._running: dict[Future[Failure | None], _Running] = {}
        self._forecast = Forecast()

    @property
    def num_done(self) -> int:
        """Chains of which nothing is left to do."""
        left = len(self._waiting) + len(self._running) + len(self.failures)
        return self._num_chains - left

    def start(self) -> bool:
        """Starts as many as there is room for; returns whether any runs."""
        while len(self._running) < self._executor.room():
            undone = {*self._waiting, *(r.chain for r in self._running.values()), *self.failures}
            ready = (chain for chain in self._waiting if undone.isdisjoint(chain.after))
            chain = next(ready, None)
            if chain is None:
                break
            self._waiting.remove(chain)
            if not chain.is_done():
                begun = _Running(chain, time.monotonic(), _steps_made(chain))
                self._running[self._executor.submit(chain)] = begun
        return bool(self._running)

    def wait(self, seconds: float) -> Iterator[tuple[Chain, Failure | None]]:
        """Those that end within a time; a failed one may wait for another try."""
        for future in wait(self._running, seconds, FIRST_COMPLETED).done:
            ended = self._running.pop(future)
            failure = _outcome(future)
            if failure is None:
                self._forecast.end(ended.chain.kind, ended.seconds())
            elif self._retries[ended.chain]:
                self._retries[ended.chain] -= 1
                self._waiting.append(ended.chain)
            else:
                self.failures[ended.chain] = failure
            yield ended.chain, failure

    def end(self) -> datetime.datetime | None:
        """When all will have ended, or None if that cannot be told yet."""
        seconds = self._forecast.remaining(
            [(r.chain.kind, r.seconds(), r.share()) for r in self._running.values()],
            [chain.kind for chain in self._waiting if self.failures.keys().isdisjoint(chain.after)],
            self._executor.room(),
        )
        if seconds is None:
            return None
        return datetime.datetime.now() + datetime.timedelta(seconds=seconds)

    def __str__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        running = ", ".join(map(str, self._running.values()))
        end = self.end()
        when = f"; ends about {clock(end)} (in {_minutes_to(end)})" if end else ""
        return f"{self.num_done} of {self._num_chains} done{failed}; runs: {running or '-'}{when}"


@dataclasses.dataclass(frozen=True)
class _Running:
    """A chain that was started at a moment, with some of its training done before."""

    chain: Chain
    started: float
    steps_before: int

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def share(self) -> float:
        """The share of the training that is made by now; 0 if nothing is trained, or not yet."""
        todo = self.chain.num_steps - self.steps_before
        return (_steps_made(self.chain) - self.steps_before) / todo if todo > 0 else 0.0

    def __str__(self) -> str:
        if not self.chain.num_steps:
            return str(self.chain)
        return f"{self.chain} {100 * _steps_made(self.chain) // self.chain.num_steps}%"


def clock(moment: datetime.datetime) -> str:
    """A moment to come on a clock, with its day where it is far off."""
    is_far = moment - datetime.datetime.now() > datetime.timedelta(hours=12)
    return f"{moment:%d %b %H:%M}" if is_far else f"{moment:%H:%M}"


def _minutes_to(moment: datetime.datetime) -> str:
    minutes = max(1, round((moment - datetime.datetime.now()).total_seconds() / 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def run_step(step: Step, log: Path, leash: Leash) -> None:
    """Runs one program on this machine.

    Raises:
        RunError: If it failed; the message is the program's last line.
    """
    if leash.run(step, log, {}) != 0:
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
    """The last line of output that the last step wrote to a log."""
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
