"""Steps as forks of a warm process: nothing but their speed may tell them from fresh processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from data.files import TEMPORARY_SUFFIX
from reproduce.pipeline import executors, jobs, warm

pytestmark = pytest.mark.skipif(not warm.is_possible(), reason="no forks here")
IMPORTED = warm.IMPORTED
ROOT = Path(__file__).resolve().parents[3]
ASIDE = {"log.txt", "timings.csv", ".lock"}


@pytest.fixture(scope="module", autouse=True)
def importable():
    """Whatever these tests start finds the step that they are made of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def bare():
    """Has warm processes that have imported nothing, so that they are there at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "IMPORTED", ())
        yield


@contextlib.contextmanager
def warm_leash():
    leash = jobs.Leash(is_warm=True)
    try:
        yield leash
    finally:
        leash.pull()
        leash.close()


@pytest.fixture(scope="module")
def leash(bare):
    """One for all tests that leave it as it was."""
    with warm_leash() as leash:
        yield leash
        assert leash.is_warm


@pytest.fixture
def doomed(bare):
    with warm_leash() as leash:
        yield leash


def probe(*flags: str) -> jobs.Step:
    return jobs.Step(("probe", *flags), Path("none"))


def outcome(leash: jobs.Leash, step: jobs.Step, folder: Path) -> tuple[int, str]:
    """Exit status and log of a step, without what says where Python's own files lie."""
    log = folder / f"{len(list(folder.iterdir()))}.txt"
    status = leash.run(step, log, {"GREETING": "hello"})
    own = r'(?m)^  File "<frozen.*\n|^  File .*(warm|ends_with_parent)\.py.*\n.*\n'
    return status, re.sub(own, "", log.read_text())


def wait_for(condition):
    latest = time.monotonic() + 180
    while not (value := condition()):
        assert time.monotonic() < latest
        time.sleep(0.02)
    return value


def log_of(pid: int) -> list[Path]:
    """Where a process writes; empty if it has ended."""
    with contextlib.suppress(OSError):
        return [Path(f"/proc/{pid}/fd/1").readlink()]
    return []


class Waiting:
    """A step that waits for ever, begun in a thread."""

    def __init__(self, leash: jobs.Leash, folder: Path) -> None:
        ready = folder / "ready"
        self.log = folder / "log.txt"
        self._run = lambda: self._statuses.append(
            leash.run(probe(f"--ready={ready}"), self.log, {})
        )
        self._statuses: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.pid = int(wait_for(lambda: ready.exists() and ready.read_text()))

    def status(self) -> int:
        self._thread.join(180)
        return self._statuses[0]

    def is_there(self) -> bool:
        """Whether it still has its files; its number stays until somebody asks for its status."""
        return self.log in log_of(self.pid)


@pytest.mark.parametrize(
    ("flags", "status", "last"),
    [
        ([], 0, "main probe.py __main__"),
        (["--end=mistake"], 2, "probe: a flag is wrong"),
        (["--end=failure"], 1, "probe: the loss is not finite"),
        (["--end=bug"], 1, "KeyError: 'surprise'"),
        (["--end=exit"], 7, "main probe.py __main__"),
        (["--no_such_flag=1"], 2, "probe: Unknown command line flag 'no_such_flag'"),
    ],
)
def test_statuses_and_logs_are_those_of_fresh_processes(leash, tmp_path, flags, status, last):
    step = probe("--names=GREETING,OMP_NUM_THREADS,NUMBA_NUM_THREADS", *flags)
    found = outcome(leash, step, tmp_path)
    assert found == outcome(jobs.Leash(), step, tmp_path)
    assert found[0] == status
    lines = found[1].splitlines()
    assert lines[0] == f"$ python -m {' '.join(step.arguments)}"
    assert last in lines
    if status != 2 or "mistake" in flags[0]:
        assert "environment hello 1 1" in lines


def test_a_flag_of_one_step_is_not_the_next_ones(leash, tmp_path):
    assert outcome(leash, probe("--end=failure"), tmp_path)[0] == 1
    assert outcome(leash, probe(), tmp_path)[0] == 0


def test_a_killed_step_ends_alone(doomed, tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    killed, other = (Waiting(doomed, folder) for folder in folders)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.status() == -signal.SIGKILL
    assert other.is_there()
    doomed.pull()
    assert other.status() < 0
    assert not other.is_there()
    assert doomed.run(probe(), tmp_path / "after.txt", {}) == -signal.SIGTERM


def test_the_death_of_the_warm_process_ends_its_steps_but_not_the_job(doomed, tmp_path):
    step = Waiting(doomed, tmp_path)
    status = Path(f"/proc/{step.pid}/status").read_text()
    os.kill(int(status.partition("PPid:")[2].split()[0]), signal.SIGKILL)
    assert step.status() == -signal.SIGKILL
    assert not step.is_there()
    assert outcome(doomed, probe(), tmp_path)[0] == 0


def test_where_it_cannot_start_steps_are_fresh_processes(doomed, tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "IMPORTED", ("no_such_module",))
    assert outcome(doomed, probe("--end=mistake"), tmp_path)[0] == 2


def test_a_gpus_steps_are_fresh_processes(monkeypatch):
    """CUDA has to be told its device before it is loaded, and does not survive a fork."""
    for gpus, is_warm in (([], True), (["0"], False)):
        monkeypatch.setattr(executors, "visible_gpus", lambda found=gpus: found)
        with executors.LocalExecutor() as executor:
            assert executor.leash.is_warm == is_warm


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {
        file.relative_to(folder).as_posix(): file.read_bytes().replace(bytes(folder), b"")
        for file in files
        if file.name not in ASIDE
        and "tensorboard" not in file.parts
        and TEMPORARY_SUFFIX not in file.name
    }


def test_numbers_are_those_of_fresh_processes_to_the_bit(tiny, tmp_path, monkeypatch):
    """Training, representation, traversals and a basis test."""
    monkeypatch.setattr(warm, "IMPORTED", IMPORTED)
    logs = []
    for kind in (True, False):
        folder = tmp_path / str(kind)
        here = f"--run_dir={folder}"
        encoded = f"--representation={folder / 'representation.npz'}"
        short = ["--recipe=smoke", "--num_steps=40", "--set=batch_size=8", "--set=log_every=20"]
        steps = [
            ("reproduce.train", "--dataset=npz", f"--data_file={tiny}", *short, here),
            ("reproduce.represent", here),
            (
                "reproduce.basis_test",
                encoded,
                "--num_bases=99",
                "--skip_inactive",
                f"--output={folder / 'test.csv'}",
            ),
            ("reproduce.traverse", here),
        ]
        leash = jobs.Leash(is_warm=kind)
        for step in steps:
            assert leash.run(jobs.Step(step, folder), folder / "log.txt", {}) == 0
        assert leash.is_warm == kind
        leash.close()
        logs.append((folder / "log.txt").read_text().replace(str(folder), ""))
    warm_files, fresh_files = (contents(tmp_path / str(kind)) for kind in (True, False))
    assert {"training.csv", "representation.npz", "test.csv", "null.npz"} < set(warm_files)
    assert warm_files == fresh_files
    assert logs[0] == logs[1]
