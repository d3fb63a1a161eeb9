"""Sweeps: what a file says is what is run, and the death of workers and drivers changes no result.

The runs of these tests are stand-ins (tests/stand_in.py), but AXISBIAS_REAL_SWEEP=1 has the test of
kills train, represent and test models in their place; with Ray it needs the ray extra.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

from data.files import TEMPORARY_SUFFIX, InputError, exclusive
from reproduce.pipeline import profile_runs, sweep_files, sweep_results
from reproduce.pipeline.profiles import PROFILES
from reproduce.training.run_directory import RunDirectory

ROOT = Path(__file__).resolve().parents[3]
REAL = os.environ.get("AXISBIAS_REAL_SWEEP") == "1"
PATIENCE = 3_600 if REAL else 180  # seconds, on a busy machine
EIGHT = """
seeds = 4
num_points = 64
num_bases = 19
[[arm]]
model = "beta_vae"
recipe = "smoke"
changes = { posterior = ["diagonal", "full_covariance"] }
"""
# Long enough to be killed in the middle.
SHORT = ", batch_size = 8, num_steps = 400, log_every = 5, checkpoint_every = 10 }"
NAMES = [
    f"dsprites/runs/beta_vae-{posterior}-seed{seed}"
    for seed in range(100, 104)
    for posterior in ("diagonal", "full_covariance")
]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
    "RAY_USAGE_STATS_ENABLED": "0",
}
ASIDE = {"attempts.csv", "log.txt", "timings.csv", "environment.json", ".lock", "tried"}


@pytest.fixture(scope="module")
def eight(tmp_path_factory, tiny) -> Path:
    """A sweep file of eight short runs."""
    path = tmp_path_factory.mktemp("sweep") / "eight.toml"
    text = EIGHT
    if REAL:
        own = f'[[data_set]]\nname = "dsprites"\ndataset = "npz"\ndata_file = "{tiny}"\n'
        text = text.replace(" }", SHORT).replace("[[arm]]", own + "[[arm]]")
    path.write_text(text)
    return path


def start(*flags: str, **environment: str) -> subprocess.Popen:
    """Starts the driver."""
    module = ["reproduce.sweep"] if REAL else ["stand_in", "sweep"]
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", *module, *flags]
    env = ENVIRONMENT | environment
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env=env)


def finish(process: subprocess.Popen) -> str:
    """Waits for a driver's good end; returns what it printed."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, "")
    return stdout


def results(output: Path) -> dict[str, bytes]:
    """The sweep's files by name, but for timings and logs."""
    files = {f.relative_to(output).as_posix(): f for f in output.rglob("*") if f.is_file()}
    return {
        name: file.read_bytes()
        for name, file in sorted(files.items())
        if file.name not in ASIDE and "tensorboard" not in file.parts
    }


def rows(file: Path) -> list[dict[str, str]]:
    with contextlib.suppress(FileNotFoundError), file.open(newline="") as opened:
        return list(csv.DictReader(opened))
    return []


def wait_for(condition, what: str):
    """The first true value of a condition."""
    latest = time.monotonic() + PATIENCE
    while time.monotonic() < latest:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def programs_of(output: Path) -> list[tuple[int, Path]]:
    """Ids of the processes of a sweep's runs, and the folders whose logs they write."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            log = (process / "fd" / "1").readlink()
            if log.name == "log.txt" and log.is_relative_to(output):
                found.append((int(process.name), log.parent))
    return found


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def in_the_middle(output: Path) -> tuple[int, int] | None:
    """Ids of the process of a run that has a checkpoint but is not done, and of its parent."""
    for pid, folder in programs_of(output):
        run = RunDirectory(folder)
        if run.checkpoints() and not run.representation_file.exists():
            with contextlib.suppress(OSError):  # it may have ended
                return pid, parent_of(pid)
    return None


@pytest.fixture(scope="module")
def undisturbed(eight, tmp_path_factory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed")
    printed = finish(start(f"--sweep={eight}", f"--output={output}", "--workers=3"))
    assert f"Results: {output / 'sweep.csv'}" in printed
    assert "beta-VAE, full-covariance posterior" in printed
    return results(output)


def test_there_is_a_row_for_every_run_and_a_verdict(undisturbed, eight, tmp_path):
    (tmp_path / "sweep.csv").write_bytes(undisturbed["sweep.csv"])
    table = rows(tmp_path / "sweep.csv")
    assert [row["run"] for row in table] == NAMES
    for row in table:
        assert (row["model"], row["recipe"], row["status"], row["error"]) == (
            "beta_vae",
            "smoke",
            "done",
            "",
        )
        assert row["run"] == f"dsprites/runs/{row['arm']}-seed{row['seed']}"
        assert row["settings"].split()[0] == f"posterior={row['arm'].removeprefix('beta_vae-')}"
        (tmp_path / "basis_test.csv").write_bytes(undisturbed[f"{row['run']}/basis_test.csv"])
        test = pd.read_csv(tmp_path / "basis_test.csv").set_index("family")
        for column, field in (("observed", "observed"), ("z", "z"), ("p_value", "p_value")):
            assert float(row[f"haar_mig_{column}"]) == pytest.approx(test.loc["haar", field])
    names = {Path(name).name for name in undisturbed}
    assert names >= {"verdict.csv", "contrast.csv", "plan.json"}


def start_node(folder: Path, *flags: str) -> subprocess.Popen:
    """Starts a node of a Ray cluster; returns its process, the leader of a group of its own."""
    ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
    small = ["--num-cpus=2", "--object-store-memory=80000000", "--disable-usage-stats"]
    log = Path(tempfile.mkstemp(dir=folder)[1])
    with log.open("wb") as output:
        node = subprocess.Popen(
            [*ray, *small, *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "Ray runtime started" in log.read_text(), "a Ray node")
    except AssertionError:
        os.killpg(node.pid, signal.SIGKILL)
        raise
    return node


def end_node(node: subprocess.Popen) -> None:
    """Ends a node with all its processes."""
    node.terminate()
    try:
        node.wait(30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster():
    """The address of a Ray cluster of two nodes on this machine, gone after the tests."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'axisbias[ray]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with contextlib.ExitStack() as stack:
        # A short path, since sockets lie in it.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ray")))
        for flags in (
            ["--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"],
            [f"--address=127.0.0.1:{port}"],
        ):
            address = f"--node-ip-address=127.0.0.{1 + ('--head' not in flags)}"
            stack.callback(end_node, start_node(folder, *flags, address))
        yield f"127.0.0.1:{port}"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["local", "ray"])
def test_kills_of_a_worker_and_of_the_driver_change_nothing(
    undisturbed, eight, tmp_path, where, request
):
    place = "--workers=2"
    if where == "ray":
        place = f"--ray_address={request.getfixturevalue('cluster')}"
    flags = [f"--sweep={eight}", f"--output={tmp_path}", place]
    driver = start(*flags)
    program, parent = wait_for(lambda: in_the_middle(tmp_path), "a run to kill")
    # Here the driver's warm process is the parent of a run's program; on a cluster a worker is.
    assert (parent_of(parent) == driver.pid) == (where == "local")
    os.kill(program if where == "local" else parent, signal.SIGKILL)
    wait_for(lambda: rows(tmp_path / "attempts.csv"), "a run's end")
    wait_for(
        lambda: any(row["outcome"] != "done" for row in rows(tmp_path / "attempts.csv")),
        "a failed attempt",
    )
    wait_for(lambda: in_the_middle(tmp_path), "a run in the middle")
    assert driver.poll() is None
    driver.kill()
    driver.communicate()
    wait_for(lambda: not programs_of(tmp_path), "the end of the dead driver's programs")
    if where == "local":
        wait_for(lambda: not Path(f"/proc/{parent}").exists(), "the end of their parent")
    statuses = [row["status"] for row in rows(tmp_path / "sweep.csv")]
    assert len(statuses) == 8
    assert set(statuses) > {"pending"} or set(statuses) == {"pending"}

    finish(start(*flags))
    assert results(tmp_path) == undisturbed
    attempts = rows(tmp_path / "attempts.csv")
    (killed,) = [row for row in attempts if row["outcome"] != "done"]
    assert ("SIGKILL" if where == "local" else "worker") in killed["outcome"]
    assert sorted(row["run"] for row in attempts if row["outcome"] == "done") == sorted(NAMES)
    if not REAL:
        logs = [(tmp_path / name / "log.txt").read_text() for name in NAMES]
        starts = [int(line[10:]) for log in logs for line in log.splitlines() if line[:4] == "from"]
        # The killed worker's run begins twice; those of the killed driver may just have ended.
        assert len(starts) >= 9
        # It had a checkpoint, from which it goes on; others may hardly have begun.
        assert any(start > 0 for start in starts)


@pytest.mark.skipif(REAL, reason="with stand-ins")
def test_failures_are_retried_and_then_reported(undisturbed, eight, tmp_path):
    broken, flaky = NAMES[2], NAMES[5]
    flags = [f"--sweep={eight}", f"--output={tmp_path}", "--workers=1", "--retries=1"]
    environment = {"STAND_IN_BROKEN": Path(broken).name, "STAND_IN_FLAKY": Path(flaky).name}
    driver = start(*flags, **environment)
    _, stderr = driver.communicate()
    assert driver.returncode == 1
    why, summary = stderr.splitlines()
    assert why.startswith(str(tmp_path / broken))
    assert why.endswith("stand_in (status 1): stand_in: the loss is not finite at step 7")
    assert "1 of 8 runs failed" in summary
    table = {row["run"]: row for row in rows(tmp_path / "sweep.csv")}
    assert list(table) == NAMES
    assert {name for name, row in table.items() if row["status"] != "done"} == {broken}
    assert table[broken]["status"] == "failed"
    assert "the loss is not finite at step 7" in table[broken]["error"]
    attempts = [(row["run"], row["outcome"] == "done") for row in rows(tmp_path / "attempts.csv")]
    assert [done for name, done in attempts if name == broken] == [False, False]
    assert [done for name, done in attempts if name == flaky] == [False, True]
    verdicts = pd.read_csv(tmp_path / "dsprites" / "verdict.csv").set_index("model")
    assert verdicts["num_seeds"].to_dict() == {
        "beta_vae/diagonal": 3,
        "beta_vae/full_covariance": 4,
    }
    # Once the cause is gone, the same command goes on and does nothing twice. The one worker, which
    # took the runs one after another, has made what three made.
    finish(start(*flags))
    assert results(tmp_path) == undisturbed
    (last,) = rows(tmp_path / "attempts.csv")[len(attempts) :]
    assert (last["run"], last["outcome"]) == (broken, "done")


@pytest.mark.skipif(REAL, reason="with stand-ins")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_ends_the_programs_too(eight, tmp_path, sent):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in test_program
    try:
        driver = start(f"--sweep={eight}", f"--output={tmp_path}", "--workers=2")
        wait_for(lambda: in_the_middle(tmp_path), "a run in the middle")
        driver.send_signal(sent)
        _, stderr = driver.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGINT, before)
    assert driver.returncode == 130
    assert stderr == "stand_in: interrupted; the same command starts or goes on again\n"
    assert not programs_of(tmp_path)


def test_a_second_driver_is_refused(run_program, eight, tmp_path):
    with exclusive(tmp_path / ".lock", wait=False):
        done = run_program("sweep", f"--sweep={eight}", f"--output={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "in use by another sweep" in line


def test_without_ray_the_extra_is_named(eight, tmp_path):
    """A package called ray that cannot be imported stands for none."""
    (tmp_path / "ray.py").write_text("raise ImportError('none')")
    path = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
    flags = [f"--sweep={eight}", f"--output={tmp_path / 'out'}", "--ray_address=auto"]
    driver = start(*flags, PYTHONPATH=path)
    _, stderr = driver.communicate()
    assert driver.returncode == 2
    (line,) = stderr.splitlines()
    assert "pip install 'axisbias[ray]'" in line


# Planning


def profile_of(tmp_path: Path, text: str):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return sweep_files.load(path)


def plan(profile, output: Path) -> list[profile_runs.Run]:
    return profile_runs.plan(profile, {dataset: output / dataset for dataset in profile.arms})


def test_lists_make_a_grid(tmp_path):
    profile = profile_of(
        tmp_path,
        """
        seeds = [5, 3]
        [[data_set]]
        dataset = "dsprites"
        [[data_set]]
        dataset = "faces"
        variant = "correlated"
        [[arm]]
        model = "beta_vae"
        name = "vae"
        recipe = ["quick", "locatello2019"]
        changes = { posterior = ["diagonal", "full_covariance"], beta = [1, 2.5], num_steps = 7 }
        [[arm]]
        model = "glow"
        data_sets = ["faces-correlated"]
        [purity]
        """,
    )
    runs = plan(profile, tmp_path)
    assert len(runs) == 2 * (8 + 9)
    assert [run.seed for run in runs] == [5] * 17 + [3] * 17
    assert len({run.path for run in runs}) == len(runs)
    assert len({run.predictor.run.path for run in runs}) == 3  # glow's images are smaller
    run = next(r for r in runs if r.path.name == "vae-locatello2019-full_covariance-beta2.5-seed3")
    assert run.path.parent == tmp_path / "dsprites" / "runs"
    assert run.chain.num_steps == 7
    train = run.chain.steps[0].arguments
    for flag in ("--dataset=dsprites", "--seed=3", "--set=posterior=full_covariance"):
        assert flag in train
    assert {"--recipe=locatello2019", "--set=beta=2.5", "--set=num_steps=7"} <= set(train)
    glow = next(run for run in runs if run.arm.model == "glow")
    assert {"--dataset=faces", "--variant=correlated", "--model=glow"} <= set(
        glow.chain.steps[0].arguments
    )


def test_twelve_seeds_an_arm_unless_said_otherwise(tmp_path):
    profile = profile_of(tmp_path, '[[arm]]\nmodel = "infogan"\n')
    assert profile.seeds == tuple(range(100, 112))
    runs = plan(PROFILES["paper"], tmp_path)
    for dataset, arm in {(run.dataset, run.arm.name) for run in runs}:
        own = [r.seed for r in runs if (r.dataset, r.arm.name) == (dataset, arm)]
        assert len(set(own)) == len(own) == 12


def test_the_committed_sweeps_are_possible(tmp_path):
    files = sorted((ROOT / "paper" / "sweeps").glob("*.toml"))
    assert files
    for file in files:
        assert plan(sweep_files.load(file), tmp_path)


ARM = '[[arm]]\nmodel = "beta_vae"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no \[\[arm\]\]"),
        ("seeds = ", "no TOML file"),
        ("sedes = 3\n" + ARM, "unknown key 'sedes' at the top; expected some of seeds"),
        (ARM + "recipee = 'quick'", r"unknown key 'recipee' in \[\[arm\]\]"),
        ("[[arm]]\n", r"model is missing in \[\[arm\]\]"),
        ('[[arm]]\nmodel = "gan"', "unknown model 'gan'; expected one of beta_vae"),
        ('[[arm]]\nmodel = "factor_predictor"', "unknown model 'factor_predictor'"),
        (ARM + 'recipe = "slow"', "unknown recipe 'slow'"),
        (ARM + "changes = { betta = 3 }", "unknown setting 'betta'"),
        (ARM + 'changes = { beta = ["a"] }', "beta is 'a'"),
        (ARM + "changes = { beta = [] }", "empty list"),
        (ARM + ARM, "two arms are called beta_vae on dsprites"),
        (ARM + 'name = "a/b"', "cannot name a folder"),
        (ARM + 'data_sets = ["faces"]', "unknown data set 'faces'; expected one of dsprites"),
        (ARM + 'turned_factors = ["a"]', "expected two names"),
        ("seeds = 0\n" + ARM, "seeds is 0"),
        ("seeds = [1, 1]\n" + ARM, "different whole numbers"),
        ("seeds = true\n" + ARM, "seeds at the top is True; expected a whole number or a list"),
        ("num_points = 1\n" + ARM, "num_points at the top is 1; expected at least 2"),
        ('[[data_set]]\ndataset = "mnist"\n' + ARM, "unknown data set 'mnist'"),
        ('[[data_set]]\ndataset = "npz"\ndata_file = "no.npz"\n' + ARM, "no.npz is not there"),
        (
            '[[data_set]]\ndataset = "faces"\nname = "sweep.csv"\n' + ARM,
            "called sweep.csv, as a file of the sweep",
        ),
        ("seeds = 1_000_000_000\n" + ARM, "1,000,000,000 runs; expected at most 100,000"),
        (
            f"{ARM}changes = {{ beta = {[*range(1, 400)]}, num_latents = {[*range(2, 400)]} }}",
            "1,905,624 runs; expected at most",  # 12 seeds of 399 x 398
        ),
        ("seeds = " + "[" * 3_000, "no TOML file"),
        ('[[data_set]]\ndataset = "faces"\n' * 2 + ARM, "two data sets are called faces"),
        (ARM + "[purity]\nbases = 3", r"unknown key 'bases' in \[purity\]"),
        (ARM + '[purity]\npredictor = "quick"', "unknown recipe 'quick' for factor_predictor"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        profile_of(tmp_path, text)
    assert "\n" not in str(error.value)
    assert str(tmp_path / "sweep.toml") in str(error.value)


def test_runs_can_be_added_but_not_changed(tmp_path):
    def claim(text: str) -> None:
        profile = profile_of(tmp_path, text)
        sweep_results.claim(tmp_path, profile, plan(profile, tmp_path))

    (tmp_path / f".sweep.csv.a{TEMPORARY_SUFFIX}").touch()  # of a driver that was killed
    claim("seeds = 1\n" + ARM)
    assert not list(tmp_path.glob(f".*{TEMPORARY_SUFFIX}"))
    claim("seeds = 2\n" + ARM + '[[arm]]\nmodel = "glow"\n[purity]\n')
    claim("seeds = [101]\n" + ARM)
    with pytest.raises(InputError, match=r"beta_vae-seed100 .*\(beta 0.25 there, 2.0 asked\)"):
        claim("seeds = 1\n" + ARM + "changes = { beta = 2 }\n")
    with pytest.raises(InputError, match="num_bases 9999 there, 99 asked"):
        claim("num_bases = 99\n" + ARM)
    for text in ("[", "[" * 100_000):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(InputError, match=r"plan.json is damaged"):
            claim(ARM)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give either --sweep, a sweep file, or --profile"),
        (["--profile=slow"], "unknown profile 'slow'"),
        (["--sweep=none.toml"], "none.toml: no such file"),
        (["--profile=smoke", "--ray_address=auto", "--workers=2"], "leave it out"),
        (["--profile=smoke", "--ray_address=localhost:1"], "no Ray cluster"),
        (["--profile=smoke", "--ray_address=localhost:99999"], "no Ray cluster"),
    ],
)
def test_mistakes_take_one_line(run_program, tmp_path, flags, message):
    done = run_program("sweep", *flags, f"--output={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
