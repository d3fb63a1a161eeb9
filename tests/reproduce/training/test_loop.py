"""Training: the same bits again, after any interruption, in any portions; failures are named.

AXISBIAS_KILLS sets how often a training is killed in the test of that (2 unless set, and then of
one model alone).
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import own_npz
from models.settings import BetaVAESettings
from reproduce.program import RunError, start_tensorflow
from reproduce.training.recipes import Recipe, find, override
from reproduce.training.run_directory import RunConfig, RunDirectory

KILLS = int(os.environ.get("AXISBIAS_KILLS", "2"))
SHORT = {"batch_size": 8, "num_steps": 60, "log_every": 10, "checkpoint_every": 20}


def config_of(data_file: Path, seed: int = 0, **changes) -> RunConfig:
    recipe = override(find("beta_vae", "smoke"), SHORT | changes)
    dataset = own_npz.load(data_file)
    return RunConfig(
        recipe,
        "npz",
        "rendered",
        str(data_file),
        dataset.fingerprint,
        dataset.image_shape,
        seed,
    )


def flags_of(config: RunConfig, run_dir: Path, changes: dict) -> list[str]:
    """The flags by which `reproduce.train` makes the same run."""
    settings = [f"--set={key}={value}" for key, value in (SHORT | changes).items()]
    return [
        "--recipe=smoke",
        "--dataset=npz",
        f"--data_file={config.data_file}",
        f"--seed={config.seed}",
        f"--run_dir={run_dir}",
        *settings,
    ]


def train(config: RunConfig, path: Path, **options) -> RunDirectory:
    """Trains in this process what `reproduce.train` would in its own."""
    from reproduce.training import loop

    run = RunDirectory(path)
    with run.locked():
        run.claim(config)
        loop.train(config, own_npz.load(config.data_file), run, **options)
    return run


def results(path: Path) -> dict[str, bytes]:
    """The run's files by name, but for those that tell of time and place."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        aside = name in ("timings.csv", "environment.json", ".lock")
        if file.is_file() and not aside and not name.startswith("tensorboard/"):
            found[name] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def undisturbed(tensorflow, tiny, tmp_path_factory) -> dict[str, bytes]:
    return results(train(config_of(tiny), tmp_path_factory.mktemp("undisturbed")).path)


def test_a_run_writes_its_files(undisturbed):
    checkpoints = ["checkpoints/step_00000040.npz", "checkpoints/step_00000060.npz"]
    assert list(undisturbed) == [*checkpoints, "config.json", "training.csv"]
    rows = undisturbed["training.csv"].decode().splitlines()
    assert rows[0] == "step,loss,reconstruction,kl,beta"
    assert [row.split(",")[0] for row in rows[1:]] == ["10", "20", "30", "40", "50", "60"]


def test_the_same_seed_gives_the_same_bytes(undisturbed, tiny, tmp_path):
    assert results(train(config_of(tiny), tmp_path).path) == undisturbed


def test_another_seed_gives_other_results(undisturbed, tiny, tmp_path):
    other = results(train(config_of(tiny, seed=1), tmp_path).path)
    assert other.keys() == undisturbed.keys()
    assert not any(other[name] == undisturbed[name] for name in undisturbed)


@pytest.mark.parametrize("portion", [1, 7])
def test_steps_a_call_do_not_change_the_result(undisturbed, tiny, tmp_path, monkeypatch, portion):
    from reproduce.training import loop

    monkeypatch.setattr(loop, "STEPS_PER_CALL", portion)
    assert results(train(config_of(tiny), tmp_path).path) == undisturbed


def test_a_run_cut_off_between_log_and_checkpoint_goes_on_to_the_same_bytes(
    undisturbed, tiny, tmp_path, monkeypatch
):
    save = RunDirectory.save_checkpoint

    def cut_off(run, step, variables):
        if step == 40:
            raise InterruptedError
        save(run, step, variables)

    monkeypatch.setattr(RunDirectory, "save_checkpoint", cut_off)
    with pytest.raises(InterruptedError):
        train(config_of(tiny), tmp_path)
    assert list(results(tmp_path)) == [
        "checkpoints/step_00000020.npz",
        "config.json",
        "training.csv",
    ]
    monkeypatch.setattr(RunDirectory, "save_checkpoint", save)
    assert results(train(config_of(tiny), tmp_path).path) == undisturbed


def test_batches_and_noise_follow_from_seed_and_step(tensorflow, tiny):
    from reproduce.training import loop

    class Watcher:
        """A model that tells what it was given."""

        term_names = ("batch", "noise")

        def train_step(self, images, step, seed, num_replicas):
            weights = tensorflow.range(tensorflow.size(images, tensorflow.int32))
            weighted = tensorflow.reshape(images, [-1]) * tensorflow.cast(weights, "float32")
            noise = tensorflow.random.stateless_uniform([], seed)
            return {"batch": tensorflow.reduce_sum(weighted), "noise": noise}

    def given(seed, steps):
        config = config_of(tiny, seed)
        strategy = tensorflow.distribute.get_strategy()
        dataset = own_npz.load(tiny)
        run_steps = loop.make_step_function(Watcher(), config, dataset, strategy, xla=False)
        return [tuple(run_steps(step, 1)[0]) for step in steps]

    first = given(0, [0, 1, 2])
    assert given(0, [2, 0, 1]) == [first[2], first[0], first[1]]
    batches, noises = zip(*first, *given(1, [0, 1, 2]), strict=True)
    assert len(set(batches)) == len(set(noises)) == 6


# All of them only where more is asked for than usual: each takes its time to begin again.
KILLED = ("beta_vae", "infogan", "glow", "factor_predictor") if KILLS > 2 else ("beta_vae",)


@pytest.mark.slow
@pytest.mark.parametrize("model", KILLED)
def test_a_run_killed_at_random_moments_goes_on_to_the_same_bytes(
    tiny, tmp_path, start_fork, run_program, model
):
    changes = {"num_steps": 80 + 80 * KILLS, "checkpoint_every": 10, "log_every": 5}
    smoke = {"beta_vae": "smoke", "factor_predictor": "predictor_smoke"}.get(
        model, f"{model}_smoke"
    )
    flags = [
        f"--model={model}",
        f"--recipe={smoke}",
        "--dataset=npz",
        f"--data_file={tiny}",
        *(f"--set={key}={value}" for key, value in ({"batch_size": 8} | changes).items()),
    ]
    run = RunDirectory(tmp_path / "killed")
    rng = np.random.default_rng(0)

    def last_write() -> int:
        return run.timings_file.stat().st_mtime_ns if run.timings_file.exists() else 0

    reached = [0]
    for _ in range(KILLS):
        rows_left, last = rng.integers(1, 15), last_write()
        process = start_fork("train", *flags, f"--run_dir={run.path}")
        while rows_left and process.poll() is None:
            time.sleep(0.002)
            rows_left -= last_write() != last
            last = last_write()
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        _, stderr = process.communicate()
        assert process.returncode == -signal.SIGKILL, stderr
        reached.append(max(run.checkpoints(), default=0))
    assert reached == sorted(reached)
    assert 0 < reached[-1] < changes["num_steps"]

    undisturbed = tmp_path / "undisturbed"
    for path in (run.path, undisturbed):
        done = run_program("train", *flags, f"--run_dir={path}")
        assert (done.returncode, done.stderr) == (0, "")
    assert results(run.path) == results(undisturbed)


def test_training_beats_what_can_be_had_without_latents(tensorflow, tiny, tmp_path):
    """Without latents no loss is below the entropy of the pixels, each at its own frequency."""
    frequency = np.load(tiny)["images"].mean(axis=0).clip(1e-9, 1 - 1e-9)
    entropy = -np.sum(frequency * np.log(frequency) + (1 - frequency) * np.log(1 - frequency))
    changes = {"network": "higgins2017_dsprites", "beta": 1.0, "learning_rate": 1e-3}
    changes |= {"batch_size": 16, "num_steps": 300, "log_every": 50, "checkpoint_every": 300}
    run = train(config_of(tiny, **changes), tmp_path)
    losses = pd.read_csv(run.training_file)["loss"]
    assert losses.iloc[0] > entropy
    assert losses.iloc[-1] < 0.9 * entropy


def test_logged_terms_are_means_over_the_steps_of_a_row(tensorflow, tiny, tmp_path):
    by_step = train(config_of(tiny, log_every=1), tmp_path / "by_step")
    changes = {"log_every": 30, "checkpoint_every": 60}  # a row takes several calls
    by_thirty = train(config_of(tiny, **changes), tmp_path / "by_thirty")
    single, mean = (pd.read_csv(run.training_file) for run in (by_step, by_thirty))
    expected = single.groupby((single["step"] - 1) // 30).mean()
    columns = ["loss", "reconstruction", "kl"]
    np.testing.assert_allclose(mean[columns], expected[columns], rtol=1e-5)
    total = mean["reconstruction"] + mean["beta"] * mean["kl"]
    np.testing.assert_allclose(mean["loss"], total, rtol=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(tensorflow, tiny, tmp_path, monkeypatch):
    from models.objectives import beta

    loss = beta.Objective.loss

    def spoiled(self, batch):
        value, terms = loss(self, batch)
        return value + tensorflow.where(batch.step == 45, np.nan, 0.0), terms

    monkeypatch.setattr(beta.Objective, "loss", spoiled)
    with pytest.raises(RunError, match=r"loss is not finite at step 45; .* is step 40") as error:
        train(config_of(tiny), tmp_path / "spoiled")
    assert "\n" not in str(error.value)
    monkeypatch.setattr(beta.Objective, "loss", loss)
    good = train(config_of(tiny, num_steps=40), tmp_path / "good")
    last = good.checkpoints()[40].read_bytes()
    assert RunDirectory(tmp_path / "spoiled").checkpoints()[40].read_bytes() == last


def test_weights_that_are_not_finite_are_not_kept(tensorflow, tiny, tmp_path):
    """The only loss is that of the initial weights, which is finite; the update is not."""
    changes = {"num_steps": 1, "log_every": 1, "checkpoint_every": 1, "learning_rate": 1e39}
    with pytest.raises(RunError, match="weights are not finite at step 1"):
        train(config_of(tiny, **changes), tmp_path)
    assert not RunDirectory(tmp_path).checkpoints()


def test_too_large_a_learning_rate_ends_the_program_in_a_line(tiny, tmp_path, run_program):
    changes = {"learning_rate": 1e30}
    done = run_program("train", *flags_of(config_of(tiny, **changes), tmp_path, changes))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("train: the loss is not finite at step ")
    assert "learning_rate" in line


def test_a_finished_run_is_not_trained_again(tensorflow, tiny, tmp_path, run_program):
    config = config_of(tiny)
    run = train(config, tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    before = [file.stat().st_mtime_ns for file in files]
    done = run_program("train", *flags_of(config, run.path, {}))
    assert (done.returncode, done.stderr) == (0, "")
    assert "is finished: 60 steps" in done.stdout
    assert [file.stat().st_mtime_ns for file in files] == before


def test_compiled_training_is_alike_and_on_record(tensorflow, tiny, tmp_path):
    """XLA draws other batches and other noise, so only averages agree."""
    config = config_of(tiny, num_steps=20)
    plain, compiled = (train(config, tmp_path / xla, xla=xla) for xla in ("off", "on"))
    losses = [pd.read_csv(run.training_file)["loss"] for run in (plain, compiled)]
    np.testing.assert_allclose(*losses, rtol=0.03)
    records = [json.loads(run.environment_file.read_text()) for run in (plain, compiled)]
    assert [record["xla"] for record in records] == [False, True]


def ten_steps_on_one_and_two_devices(data_file: Path) -> list[tuple[np.ndarray, list[np.ndarray]]]:
    """Sums of the terms and final variables, without noise, on one CPU device and on two."""
    tf = start_tensorflow(1)
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    from models.beta_vae import BetaVAE
    from models.objectives import base
    from reproduce.training import loop

    class WithoutNoise(base.Objective):
        term_names = ("darkness", "first_rows")

        def latents(self, posterior, seed):
            return posterior.mean()

        def loss(self, batch):
            # These two tell only of the batch.
            places = tf.reduce_mean(batch.images, 0) * tf.reshape(tf.range(256.0), [16, 16, 1])
            terms = {
                "darkness": tf.reduce_mean(batch.images),
                "first_rows": tf.reduce_sum(places),
            }
            return batch.reconstruction, terms

    # Adagrad, unlike Adam, tells gradients of double size apart.
    settings = BetaVAESettings(network="compact", optimizer="adagrad", learning_rate=1e-2)
    config = dataclasses.replace(config_of(data_file), recipe=Recipe("beta_vae", settings, 8, 10))
    dataset = own_npz.load(data_file)
    outcomes = []
    for strategy in (
        tf.distribute.get_strategy(),
        tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    ):
        with strategy.scope():
            model = BetaVAE(settings, dataset.image_shape, np.random.default_rng(0))
            model.objective = WithoutNoise(settings, np.random.default_rng(0))
        run_steps = loop.make_step_function(model, config, dataset, strategy, xla=False)
        sums, bad_step = run_steps(0, 10)
        assert bad_step == -1
        variables = [np.asarray(variable) for variable in model.variables().values()]
        outcomes.append((sums, variables))
    return outcomes


def test_two_devices_share_the_batch_that_one_would_get(tiny):
    spawn = multiprocessing.get_context("spawn")  # devices are fixed once TensorFlow has started
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        one, two = pool.submit(ten_steps_on_one_and_two_devices, tiny).result()
    np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
    for of_one, of_two in zip(one[1], two[1], strict=True):
        # Sums are taken in another order, and Adam divides by gradients that are nearly zero; ten
        # steps move a weight by up to 1e-2, of which another batch would change a good part.
        np.testing.assert_allclose(of_one, of_two, rtol=1e-3, atol=1e-4)
