"""Programs as users meet them: exit statuses, one line for a mistake, interrupts, a full disk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.files import exclusive, load_npz
from reproduce.training.run_directory import RunDirectory

SOURCES = Path(__file__).resolve().parents[2] / "reproduce"
PROGRAMS = sorted(f.stem for f in SOURCES.glob("*.py") if "program.run(main)" in f.read_text())
SHORT = ["--recipe=smoke", "--set=batch_size=8", "--set=log_every=10", "--set=checkpoint_every=20"]


@pytest.fixture
def flags(tiny, tmp_path):
    """Flags of a training that would work."""
    return [*SHORT, "--dataset=npz", f"--data_file={tiny}", f"--run_dir={tmp_path / 'run'}"]


def line_of(done: subprocess.CompletedProcess, status: int) -> str:
    """The only line on the error stream of a program that ended with `status`."""
    assert done.returncode == status, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("train: ")
    return line


def contents(path: Path) -> dict[Path, bytes]:
    files = [*path.glob("*.json"), *path.glob("*.csv"), *path.glob("checkpoints/*")]
    return {file: file.read_bytes() for file in files}


@pytest.mark.parametrize("module", PROGRAMS)
def test_help_names_the_flags_without_loading_tensorflow(run_program, monkeypatch, module):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # lists every import on the error stream
    done = run_program(module, "--help")
    assert done.returncode == 0
    assert "\n  --" in done.stdout
    imports = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "reproduce" in imports
    assert not imports & {"tensorflow", "keras", "tensorflow_probability"}


@pytest.mark.parametrize("module", PROGRAMS)
def test_unknown_flag_takes_one_line(run_program, module):
    done = run_program(module, "--no_such_flag=1")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{module}: ")
    assert "no_such_flag" in line


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--dataset=mnist",
            "unknown data set 'mnist'; expected one of cars3d, celeb_a, coloured_scene",
        ),
        ("--model=gan", "unknown model 'gan'; expected one of beta_vae"),
        ("--posterior=round", "unknown posterior 'round'; expected one of diagonal"),
        ("--recipe=slow", "unknown recipe 'slow' for beta_vae; expected one of smoke"),
        ("--set=betta=3", "unknown setting 'betta'; expected one of"),
        ("--set=beta", "--set=beta; expected --set=key=value"),
        ("--set=beta=x", "beta is 'x'; expected a value like"),
        ("--seed=x", "--seed=x"),
        ("--seed=-1", "--seed=-1"),
        ("--seed=2147483648", "expected a number below 2**31"),
        ("--num_steps=-1", "num_steps is -1; expected at least 0"),
        ("--xla=maybe", "auto|on|off"),
        ("--run_dir=", "--run_dir is missing"),
        ("--run_dir=pyproject.toml", "pyproject.toml cannot be a folder"),
        ("--data_file=", "needs data_file"),
        ("--data_file=none.npz", "none.npz: no such file"),
        ("surplus", "unexpected argument 'surplus'"),
    ],
)
def test_mistaken_flag_takes_one_line(run_program, monkeypatch, flags, flag, message):
    assert message in line_of(run_program("train", *flags, flag), 2)


def test_mistaken_flag_is_told_without_loading_tensorflow(run_program, monkeypatch, flags):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = run_program("train", *flags, "--set=beta=x")
    assert done.returncode == 2
    assert "reproduce.training.recipes" in done.stderr
    assert "tensorflow" not in done.stderr


def test_truncated_data_file_takes_one_line(run_program, flags, tiny, tmp_path):
    cut = tmp_path / "cut.npz"
    cut.write_bytes(tiny.read_bytes()[:-50])
    line = line_of(run_program("train", *flags, f"--data_file={cut}"), 2)
    assert str(cut) in line
    assert "damaged" in line


def test_pickled_data_file_takes_one_line(run_program, flags, tmp_path):
    pickled = tmp_path / "pickled.npz"
    objects = np.array([{}], dtype=object)
    np.savez(pickled, images=objects, factors=objects, factor_names=["a"], factor_sizes=[2])
    line = line_of(run_program("train", *flags, f"--data_file={pickled}"), 2)
    assert str(pickled) in line
    assert "pickled" in line


def test_run_in_use_takes_one_line(run_program, flags, tmp_path):
    with exclusive(tmp_path / "run" / ".lock", wait=False):
        assert "in use by another process" in line_of(run_program("train", *flags), 2)


def test_interrupted_run_says_so_and_goes_on(start_program, run_program, flags, tmp_path):
    run = RunDirectory(tmp_path / "run")
    flags = [*flags, "--num_steps=300"]
    # A shell may have had this process ignore interrupts, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = start_program("train", *flags)
        while not run.checkpoints() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    finally:
        signal.signal(signal.SIGINT, before)
    (line,) = stderr.splitlines()
    assert line.startswith("train: interrupted")
    assert process.returncode == 130
    assert 0 < max(run.checkpoints()) < 300

    other = line_of(run_program("train", *flags, "--set=beta=3", "--seed=5"), 2)
    assert "beta" in other
    assert "seed 0 there, 5 asked" in other

    files = contents(run.path)
    newest = run.checkpoints()[max(run.checkpoints())]
    newest.write_bytes(files[newest][:-100])
    damaged = line_of(run_program("train", *flags), 2)
    assert str(newest) in damaged
    assert "delete it to go on from the checkpoint before" in damaged
    newest.write_bytes(files[newest])

    done = run_program("train", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(run.checkpoints()) == 300


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 10 MB, which holds one checkpoint but not two; skips where none can be mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount the small disk of this test, and only on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(path)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the small disk of this test could not be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_full_disk_takes_one_line_and_leaves_earlier_files(run_program, flags, small_disk):
    run = RunDirectory(small_disk / "run")
    flags = [*flags, "--num_steps=60", f"--run_dir={run.path}"]
    full = "No space left on device; nothing was overwritten"
    assert full in line_of(run_program("train", *flags), 2)
    assert list(run.checkpoints()) == [20]
    load_npz(run.checkpoints()[20])  # whole
    before = contents(run.path)
    assert len(before) == 5  # the settings, two logs, the environment, the checkpoint

    with (small_disk / "rest").open("wb", buffering=0) as rest, contextlib.suppress(OSError):
        while True:
            rest.write(bytes(4096))
    assert full in line_of(run_program("train", *flags), 2)  # TensorBoard's events fail first
    assert contents(run.path) == before

    remount = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(remount, check=True)
    done = run_program("train", *flags)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_number_that_is_none_takes_one_line(run_program):
    done = run_program("verdict", "--runs=nowhere", "--alpha=nan")
    assert done.returncode == 2
    assert done.stderr == "verdict: --alpha=nan; expected a finite number\n"
