"""What the tests share: paths, a tiny data set, TensorFlow started once, the programs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import browsers
import forks
import numpy as np
import pytest
from hypothesis import settings
from programs import ROOT, command

from reproduce.pipeline import warm

# As the programs have it, before any test module imports TensorFlow: the kernels decide a result's
# last bits, and a test's own process is compared with programs.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

# Examples are new at every run, but for continuous integration, where a run should be repeatable;
# a busy machine must fail none.
settings.register_profile("axisbias", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("axisbias")

# Each of pytest's workers has a core, and threads that wait for one another by spinning need more.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

# Programs find the modules that tests are made of, as a decoder, too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH")))
)

# A program that takes over a minute tells how far it is: on a slow machine, and tests count lines.
os.environ["TQDM_DISABLE"] = "1"

# Files that take long, the longest first: begun last, one of them would keep a single core busy.
LONG_FILES = (
    "main_job",
    "loop",
    "sweep",
    "study_page",
    "program",
    "warm",
    "study_collector",
    "glow",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take long."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it skip without it."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("no folder ../shared with the reference data")
    return path


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow, started as the programs start it, and only for the tests that need it."""
    from reproduce import program

    return program.start_tensorflow(1)


@pytest.fixture(scope="module")
def browser():
    """A Chromium, for the tests of pages."""
    with browsers.launched() as found:
        yield found


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A user's data set: a square of 4 x 4 pixels at 8 x 8 places in binary images of 16 x 16."""
    places = np.indices((8, 8)).reshape(2, -1).T
    images = np.zeros((len(places), 16, 16, 1), np.uint8)
    for image, (y, x) in zip(images, places, strict=True):
        image[y + 2 : y + 6, x + 2 : x + 6] = 1
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    names = ["pos_y", "pos_x"]
    np.savez(path, images=images, factors=places, factor_names=names, factor_sizes=[8, 8])
    return path


@pytest.fixture(scope="session")
def start_program():
    """Starts `python -m reproduce.MODULE FLAGS` from the repository's root; returns its Popen."""

    def start(module: str, *flags: str) -> subprocess.Popen:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command(module, *flags), cwd=ROOT, stdout=pipe, stderr=pipe, text=True
        )

    return start


def _changes(own: Mapping[str, str]) -> dict[str, str] | None:
    """What a fork is to know of the environment that its warm process began without.

    Imports set variables, too. None if a fork would come too late: Python reads its own variables
    once, and what has been taken away cannot be told.
    """
    # Pytest's word of which test is run is no program's.
    now = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    changed = {name: value for name, value in now.items() if own.get(name) != value}
    if own.keys() - now.keys() or any(name.startswith("PYTHON") for name in changed):
        return None
    return changed


class Warm(NamedTuple):
    """A warm process, and the environment that it began with."""

    process: warm.WarmProcess
    environment: dict[str, str]


@pytest.fixture(scope="session")
def warm_process():
    """What programs are forked from, as a job's are: they need not import TensorFlow one by one."""
    if not warm.is_possible():
        yield None
        return
    environment = dict(os.environ)
    environment.pop("PYTEST_CURRENT_TEST", None)
    with contextlib.chdir(ROOT):
        process = warm.WarmProcess(environment)
    yield Warm(process, environment)
    process.close()


@pytest.fixture(scope="session")
def start_fork(warm_process, start_program):
    """As `start_program`, from the warm process where there is one: begun without an import."""

    def start(module: str, *flags: str) -> subprocess.Popen | forks.Fork:
        changes = _changes(warm_process.environment) if warm_process else None
        if changes is None:
            return start_program(module, *flags)
        return forks.Fork(warm_process.process, changes, module, *flags)

    return start


@pytest.fixture(scope="session")
def run_program(warm_process):
    """Runs `python -m reproduce.MODULE FLAGS` to its end; returns its CompletedProcess."""

    def run(module: str, *flags: str) -> subprocess.CompletedProcess:
        changes = _changes(warm_process.environment) if warm_process else None
        if changes is not None:
            arguments = [f"reproduce.{module}", *flags]
            with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
                status = warm_process.process.run(arguments, output, changes, errors)
                assert status is not None
                printed = [file.seek(0) or file.read().decode() for file in (output, errors)]
            return subprocess.CompletedProcess(arguments, status, *printed)
        return subprocess.run(
            command(module, *flags),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def predictor(tiny, tmp_path_factory, run_program):
    """A factor predictor of the tiny data set, trained for some steps."""
    run = tmp_path_factory.mktemp("predictor") / "run"
    done = run_program(
        "train",
        "--model=factor_predictor",
        "--recipe=predictor_smoke",
        "--num_steps=300",
        "--dataset=npz",
        f"--data_file={tiny}",
        f"--run_dir={run}",
    )
    assert done.returncode == 0, done.stderr
    return run
