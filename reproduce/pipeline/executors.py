"""Where chains of programs run: on this machine's cores or GPUs, or on a cluster through Ray."""

from __future__ import annotations

import logging
import os
import queue
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from data.files import InputError
from reproduce import program
from reproduce.pipeline import jobs

_SECONDS_TO_CONNECT = 10

_SECONDS_TO_CONNECT = 10


class LocalExecutor:
    """This machine: one chain for each core, or, where there are GPUs, for each of them.

    Args:
        workers: How many chains at once, in their place; they share the GPUs.
    """

    def __init__(self, workers: int | None = None) -> None:
        gpus = visible_gpus()
        workers = workers or len(gpus) or program.num_cores()
        # What tells a chain's programs their device; whoever ends hands it to the next.
        self._slots: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
        for worker in range(workers):
            device = {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)]} if gpus else {}
            self._slots.put(device)
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers)
        # A GPU's programs have to be told their device before their libraries are loaded.
        self.leash = jobs.Leash(is_warm=not gpus)

    def room(self) -> int:
        """How many chains run at once."""
        return self._workers

    def submit(self, chain: jobs.Chain) -> Future[jobs.Failure | None]:
        """Has a chain run as soon as there is room."""
        return self._pool.submit(self._run, chain)

    def stop(self) -> None:
        """Ends whatever runs, and starts nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.leash.pull()

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown()
        self.leash.close()

    def _run(self, chain: jobs.Chain) -> jobs.Failure | None:
        slot = self._slots.get()
        try:
            return jobs.run_chain(chain, slot, self.leash)
        finally:
            self._slots.put(slot)


class RayExecutor:
    """A Ray cluster: a chain takes a GPU where the cluster has any, else a core.

    Every node needs this package in the same environment, and run directories lie on a file system
    that all nodes share, with locks.

    Args:
        address: As `ray.init` takes it; `auto` is the cluster that this machine belongs to.

    Raises:
        InputError: If Ray is not installed, or there is no cluster.
    """

    def __init__(self, address: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise InputError(
                "--ray_address needs Ray; install it with pip install 'axisbias[ray]', or leave "
                "the flag out"
            ) from error
        _require_listener(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"--ray_address={address}: no Ray cluster ({reason}); start one with "
                "ray start --head"
            ) from error
        self._ray = ray
        self.leash = jobs.Leash()
        num_gpus = 1 if ray.cluster_resources().get("GPU") else 0
        self._resource = "GPU" if num_gpus else "CPU"
        # Its retries are counted in one place, `jobs.run_chains`.
        remote = ray.remote(num_cpus=1, num_gpus=num_gpus, max_retries=0)
        self._run_chain = remote(jobs.run_chain)
        self._running: dict[Future[jobs.Failure | None], Any] = {}

    def room(self) -> int:
        """One chain more than run at once, so that a cluster that can grow sees the need."""
        return 1 + int(self._ray.cluster_resources().get(self._resource, 0))

    def submit(self, chain: jobs.Chain) -> Future[jobs.Failure | None]:
        """Has a chain run as soon as there is room."""
        reference = self._run_chain.remote(chain)
        future: Future[jobs.Failure | None] = reference.future()
        self._running[future] = reference
        return future

    def stop(self) -> None:
        """Ends whatever runs, and starts nothing more."""
        self.leash.pull()
        for future, reference in self._running.items():
            if not future.done():
                self._ray.cancel(reference, force=True)  # the worker dies, and its program with it

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ray.shutdown()


def _require_listener(address: str) -> None:
    """Refuses HOST:PORT where nothing listens; Ray itself would try for minutes.

    Raises:
        InputError: If no connection can be made.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():  # auto, or what Ray refuses at once
        return
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--ray_address={address}: no Ray cluster ({error}); start one with ray start --head"
        ) from error


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    devices = sorted(Path("/dev").glob("nvidia[0-9]*"), key=lambda p: int(p.name[6:]))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not devices or visible is None:
        return [str(index) for index in range(len(devices))]
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
