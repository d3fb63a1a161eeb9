"""The training loop: one for every model, resumable to the bit."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_probability as tfp

import models
from data import random_streams
from data.dataset import Dataset
from data.files import InputError, write_text
from data.tensors import comes_by_batch, gatherer
from models import hardware
from models.factor_predictor import held_out
from reproduce.program import RunError
from reproduce.training import progress
from reproduce.training.run_directory import RunConfig, RunDirectory, read_log

STEPS_PER_CALL = 20  # enough to hide Python's overhead; the result does not depend on it

StepFunction = Callable[[int, int], tuple[np.ndarray, int]]


def train(config: RunConfig, dataset: Dataset, run: RunDirectory, xla: str = "auto") -> None:
    """Trains a model to its last step, from the last checkpoint if there is one.

    The batches and the noise of a step follow from (seed, step) alone, so that a resumed training
    gives the same bits as an undisturbed one.

    Args:
        config: What to train, on what.
        dataset: The images.
        run: Where checkpoints and logs go; the caller holds its lock.
        xla: `on`, `off`, or `auto`: on a GPU whichever is faster, elsewhere off.

    Raises:
        InputError: If the batch cannot be shared evenly by the GPUs.
        RunError: If the loss or a weight is no longer finite; the message gives the step.
    """
    recipe = config.recipe
    strategy = _strategy()
    if recipe.batch_size % strategy.num_replicas_in_sync:
        raise InputError(
            f"batch_size is {recipe.batch_size}; expected a multiple of the "
            f"{strategy.num_replicas_in_sync} GPUs"
        )
    warn_if_emulated(recipe.settings.precision)
    with strategy.scope():
        model = models.build(recipe.settings, config.image_shape, config.seed)
    variables = model.variables()
    step = max(run.checkpoints(), default=0)
    if step:
        run.load_checkpoint(step, variables)
    else:
        _initialise(model, config, dataset)
    compiled = _choose_compilation(xla, model, config, dataset, strategy, run)
    run_steps = make_step_function(model, config, dataset, strategy, compiled)
    log = _Log(run, model.term_names, step, recipe.log_every)
    sums, started = np.zeros(len(model.term_names)), time.perf_counter()

    if recipe.num_steps == 0:
        log.write()
        run.save_checkpoint(0, {name: np.asarray(variable) for name, variable in variables.items()})
    bar = progress.bar(
        desc=f"{config.arm} seed {config.seed}",
        total=recipe.num_steps * recipe.batch_size,
        initial=step * recipe.batch_size,
        unit=" images",
        unit_scale=True,
    )
    with bar:
        while step < recipe.num_steps:
            to_log = recipe.log_every - step % recipe.log_every
            count = min(STEPS_PER_CALL, to_log, recipe.num_steps - step)
            totals, bad_step = run_steps(step, count)
            if bad_step >= 0:
                raise RunError(_not_finite("the loss is", bad_step, run))
            step += count
            sums += totals
            bar.update(count * recipe.batch_size)
            if step % recipe.log_every == 0 or step == recipe.num_steps:
                steps_in_row = (step - 1) % recipe.log_every + 1
                log.add(step, sums / steps_in_row)
                log.add_timing(step, steps_in_row * recipe.batch_size, started)
                sums, started = np.zeros_like(sums), time.perf_counter()
            if step % recipe.checkpoint_every == 0 or step == recipe.num_steps:
                values = {name: np.asarray(variable) for name, variable in variables.items()}
                # The last update may have gone wrong after a loss that was still finite.
                if not all(np.isfinite(value).all() for value in values.values()):
                    raise RunError(_not_finite("weights are", step, run))
                log.write()
                run.save_checkpoint(step, values)


def _initialise(model: Any, config: RunConfig, dataset: Dataset) -> None:
    """Shows the model its first batch, of images drawn for nothing else."""
    rng = random_streams.generator(config.seed, random_streams.FIRST_BATCH)
    indices = rng.integers(len(dataset), size=config.recipe.batch_size)
    seed = tf.random.fold_in(tf.constant([config.seed, random_streams.FIRST_NOISE]), 0)
    model.initialise(tf.constant(dataset.images(indices)), seed)


def make_step_function(
    model: Any, config: RunConfig, dataset: Dataset, strategy: tf.distribute.Strategy, xla: bool
) -> StepFunction:
    """Builds the function that makes a number of training steps in one call.

    Returns:
        A function from (first step, number of steps) to the sums of the model's terms over these
        steps, float64 [terms], and the first step whose loss was not finite, or -1.
    """
    gather = gatherer(dataset)
    supervised = getattr(model, "is_supervised", False)
    if supervised:
        factors = tf.constant(dataset.factors.astype(np.int32))
        seen = tf.constant(np.flatnonzero(~held_out(model.settings, len(dataset))).astype(np.int32))
    batch_size, replicas = config.recipe.batch_size, strategy.num_replicas_in_sync
    share = batch_size // replicas

    @tf.function(jit_compile=xla or None, autograph=False)
    def one_step(step: tf.Tensor) -> tf.Tensor:
        seed = tf.random.fold_in(tf.constant([config.seed, random_streams.BATCHES]), step)
        batch_seed, noise_seed = tf.unstack(tf.random.split(seed, 2))
        # Every replica draws the whole batch and takes its share: the batch is the same whatever
        # their number. Images are drawn with replacement.
        count = len(seen) if supervised else len(dataset)
        indices = tf.random.stateless_uniform([batch_size], batch_seed, 0, count, tf.int32)
        if replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            indices = tf.reshape(indices, [replicas, share])[replica]
            noise_seed = tf.random.fold_in(noise_seed, replica)
        if supervised:
            rows = tf.gather(seen, indices)
            labels = tf.gather(factors, rows)
            terms = model.train_step(gather(rows), step, noise_seed, replicas, labels)
        else:
            terms = model.train_step(gather(indices), step, noise_seed, replicas)
        return tf.stack([terms[name] for name in model.term_names])

    @tf.function
    def many_steps(first: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        totals = tf.zeros(len(model.term_names), tf.float64)
        bad_step = tf.constant(-1)
        for offset in tf.range(count):
            step = first + offset
            values = strategy.reduce("MEAN", strategy.run(one_step, (step,)), axis=None)
            totals += tf.cast(values, tf.float64)
            is_bad = (bad_step < 0) & ~tf.reduce_all(tf.math.is_finite(values))
            bad_step = tf.where(is_bad, step, bad_step)
        return totals, bad_step

    def run_steps(first: int, count: int) -> tuple[np.ndarray, int]:
        totals, bad_step = many_steps(tf.constant(first), tf.constant(count))
        return totals.numpy(), int(bad_step)

    return run_steps


def warn_if_emulated(precision: str) -> None:
    """Logs a line where training would be slow for want of bfloat16 in hardware."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    if precision == "mixed_bfloat16" and not on_gpu and not hardware.has_bfloat16():
        logging.warning(
            "this processor has no bfloat16 and emulates it, 10 to 20 times slower; "
            "expected precision=float32"
        )


def _strategy() -> tf.distribute.Strategy:
    """All GPUs if there are several."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _choose_compilation(
    xla: str,
    model: Any,
    config: RunConfig,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    run: RunDirectory,
) -> bool:
    """Whether to compile a step with XLA, decided once a run and written to environment.json."""
    by_batch = comes_by_batch(dataset)
    if by_batch and xla == "on":
        raise InputError(
            f"xla=on cannot read or draw {dataset.name} batch by batch, and here it is not put on "
            "a device; leave it out"
        )
    known = run.read_environment()
    if "xla" in known and not by_batch:
        return bool(known["xla"])
    device = tf.config.list_physical_devices("GPU")
    if xla == "auto" and device and not by_batch:
        compiled = _is_faster_compiled(model, config, dataset, strategy)
    else:
        compiled = xla == "on"
    environment = {
        "device": [d.name for d in device] or platform.processor() or platform.machine(),
        "instruction_set": hardware.instruction_set(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "TensorFlow's default"),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "xla": compiled,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "tensorflow_probability": tfp.__version__,
        "numpy": np.__version__,
    }
    write_text(run.environment_file, json.dumps(environment, indent=2) + "\n")
    return compiled


def _is_faster_compiled(
    model: Any, config: RunConfig, dataset: Dataset, strategy: tf.distribute.Strategy
) -> bool:
    """Times a call of either kind and leaves the model's variables as they were."""
    variables = model.variables()
    before = {name: np.array(variable) for name, variable in variables.items()}
    seconds = []
    for compiled in (False, True):
        run_steps = make_step_function(model, config, dataset, strategy, compiled)
        run_steps(0, STEPS_PER_CALL)  # traces and compiles
        started = time.perf_counter()
        run_steps(0, STEPS_PER_CALL)
        seconds.append(time.perf_counter() - started)
    for name, variable in variables.items():
        variable.assign(before[name])
    return seconds[1] < seconds[0]


def _not_finite(what: str, step: int, run: RunDirectory) -> str:
    last = max(run.checkpoints(), default=None)
    good = f"the last good checkpoint is step {last}" if last else "there is no checkpoint yet"
    return f"{what} not finite at step {step}; {good}; try a smaller learning_rate"


class _Log:
    """training.csv (the same bytes at every run), timings.csv, and TensorBoard's events."""

    def __init__(
        self, run: RunDirectory, term_names: tuple[str, ...], step: int, log_every: int
    ) -> None:
        """Takes up the logs where the checkpoint of `step` left them."""
        self._run = run
        logged = range(log_every, step + 1, log_every)
        self._terms = _read_rows(run.training_file, ["step", *term_names], step, logged)
        self._timings = _read_rows(run.timings_file, ["step", "images_per_second"], step, ())
        self._names = term_names
        self._events = tf.summary.create_file_writer(str(run.tensorboard_dir))

    def add(self, step: int, means: np.ndarray) -> None:
        self._terms.append([step, *(float(f"{mean:.6g}") for mean in means)])
        with self._events.as_default(step=step):
            for name, mean in zip(self._names, means, strict=True):
                tf.summary.scalar(name, mean)

    def add_timing(self, step: int, images: int, started: float) -> None:
        rate = images / (time.perf_counter() - started)
        self._timings.append([step, round(rate, 1)])
        # Written at every row, unlike training.csv: whoever watches the run reads its last line.
        _write_rows(self._run.timings_file, ["step", "images_per_second"], self._timings)

    def write(self) -> None:
        _write_rows(self._run.training_file, ["step", *self._names], self._terms)
        self._events.flush()


def _read_rows(
    file: Any, columns: list[str], last_step: int, logged: Sequence[int]
) -> list[list[float]]:
    if not file.exists() or not last_step:
        return []
    frame = read_log(file, columns, logged)
    return frame.loc[frame["step"] <= last_step, columns].astype(object).values.tolist()


def _write_rows(file: Any, columns: list[str], rows: list[list[float]]) -> None:
    write_text(file, pd.DataFrame(rows, columns=columns).to_csv(index=False))
