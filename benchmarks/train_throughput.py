"""Images a second in training every model: this project's own loop, and PyTorch's best.

Both train the same networks with the same losses in float32 on dSprites, batches gathered from
packed bits, unpacked and averaged down. PyTorch may choose its memory layout, the kind of its Adam,
and whether to compile: what is fastest in a trial takes part. Rounds are interleaved, and medians
are compared by images per second of the process's CPU time, which other programs disturb least; by
the clock on the wall they are printed, too. A share is that of the matmul peak, of the products and
convolutions of a step as PyTorch counts them.

Run it as `python benchmarks/train_throughput.py` with `axisbias[benchmark]` installed. It takes a
quarter of an hour, most of which torch.compile takes; `--only=glow_quick` measures one alone.
"""

import dataclasses
import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags
from machine import describe, matmul_peak

from data import Dataset
from reproduce import program
from reproduce.training import recipes
from reproduce.training.recipes import Recipe

_ONLY = flags.DEFINE_list("only", [], "What to measure, by name; everything if left out.")
_THREADS = flags.DEFINE_integer("threads", 1, "Threads of either.")
_COMPILE = flags.DEFINE_boolean("compile", True, "Whether PyTorch may compile.")

IMAGES, TRIAL, ROUNDS, FINALISTS = 100_000, 10, 5, 2
EXPECTED = 1.5  # at least so many times the rate of PyTorch's best

Training = Callable[[int], float]  # makes a number of steps, returns their mean loss


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained: a recipe with changes, on images of a size, for so many steps a round."""

    recipe: str
    steps: int
    size: int = 32
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)


CASES = {
    "patch": Case("quick_32", 60, changes={"network": "patch"}),
    "patch_full": Case(
        "quick_32", 60, changes={"network": "patch", "posterior": "full_covariance"}
    ),
    "quick_32": Case("quick_32", 30),
    "locatello2019": Case("locatello2019", 8, 64),
    "infogan_quick": Case("infogan_quick", 20),
    "glow_quick": Case("glow_quick", 10),
    "predictor_quick": Case("predictor_quick", 20),
}


def prepare(case: Case, dataset: Dataset) -> tuple[Recipe, Dataset]:
    """The recipe and the data set of a case."""
    recipe = recipes.override(recipes.RECIPES[case.recipe], case.changes)
    if recipe.model == "factor_predictor":
        settings = recipe.settings.fitted_to(dataset, recipe.num_steps)
        recipe = dataclasses.replace(recipe, settings=settings)
    return recipe, dataset.at_size(case.size)


def ours(recipe: Recipe, dataset: Dataset) -> tuple[Training, int]:
    """This project's training and its number of weights."""
    import tensorflow as tf

    import models
    from reproduce.training import loop
    from reproduce.training.run_directory import RunConfig

    shape = dataset.image_shape
    config = RunConfig(recipe, "dsprites", "rendered", None, "", shape, seed=0)
    model = models.build(recipe.settings, shape, config.seed)
    first_batch = tf.constant(dataset.images(np.arange(recipe.batch_size)))
    model.initialise(first_batch, tf.constant([0, 1]))
    strategy = tf.distribute.get_strategy()
    run_steps = loop.make_step_function(model, config, dataset, strategy, xla=False)
    made = 0

    def train(steps: int) -> float:
        nonlocal made
        totals, _ = run_steps(made, steps)
        made += steps
        return float(totals[0]) / steps

    variables = model.variables().items()
    weights = [v for name, v in variables if "optimizer/" not in name and v.trainable]
    return train, sum(np.asarray(weight).size for weight in weights)


def timed(train: Training, steps: int) -> np.ndarray:
    """Seconds of CPU and on the wall that a number of steps takes: [2]."""
    started = np.array([time.process_time(), time.perf_counter()])
    loss = train(steps)
    seconds = np.array([time.process_time(), time.perf_counter()]) - started
    assert np.isfinite(loss), loss
    return seconds


def finalists(recipe: Recipe, dataset: Dataset, num_weights: int) -> dict[str, Training]:
    """PyTorch's fastest ways in a trial; what torch.compile cannot do here is left out."""
    import rivals

    layouts = (rivals.CONTIGUOUS, rivals.CHANNELS_LAST)
    ways = [rivals.Way(*way) for way in itertools.product(layouts, ("fused", "foreach"))]
    if _COMPILE.value:
        ways += [rivals.Way(layout, compiled=True) for layout in layouts]
    seconds: dict[str, float] = {}
    trainings: dict[str, Training] = {}
    for way in ways:
        train, weights = rivals.training(recipe, dataset, way)
        assert weights == num_weights, (str(way), weights, num_weights)
        try:
            train(3)  # compiles and warms up
        except Exception as error:
            if not way.compiled:
                raise
            print(f"{way}: {type(error).__name__}, left out")
            continue
        seconds[str(way)], trainings[str(way)] = timed(train, TRIAL)[0], train
    fastest = sorted(seconds, key=seconds.__getitem__)[:FINALISTS]
    return {name: trainings[name] for name in fastest}


def flops_of_step(recipe: Recipe, dataset: Dataset) -> int:
    """The operations of a step's products and convolutions, forward and back."""
    import rivals
    from torch.utils.flop_counter import FlopCounterMode

    train, _ = rivals.training(recipe, dataset, rivals.Way())
    with FlopCounterMode(display=False) as counter:
        train(1)
    return counter.get_total_flops()


def compare(name: str, case: Case, dataset: Dataset, peak: float) -> str:
    """Measures a case and prints its figures; returns the comparison in a line."""
    recipe, dataset = prepare(case, dataset)
    train, num_weights = ours(recipe, dataset)
    train(3)  # traces and warms up
    ways = {"axisbias": train, **finalists(recipe, dataset, num_weights)}
    seconds: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, train in ways.items():
            seconds[way].append(timed(train, case.steps))
    rates = {way: case.steps * recipe.batch_size / np.array(s) for way, s in seconds.items()}
    flops = flops_of_step(recipe, dataset) / recipe.batch_size
    print(
        f"\n{name}: {recipe.model}, {case.size} x {case.size}, batches of {recipe.batch_size}, "
        f"{num_weights:,} weights, {flops / 1e6:.1f} MFLOP an image"
    )
    for way, (cpu, wall) in ((way, r.T) for way, r in rates.items()):
        median = statistics.median(cpu)
        print(
            f"  {way:40} {median:6.0f} a CPU-second ({min(cpu):.0f} to {max(cpu):.0f}), "
            f"{statistics.median(wall):6.0f} on the wall, "
            f"{median * flops / 1e9 / peak:.2f} of peak",
            flush=True,
        )
    medians = {way: np.median(r, axis=0) for way, r in rates.items()}
    best = np.max([median for way, median in medians.items() if way != "axisbias"], axis=0)
    ratio, on_wall = medians["axisbias"] / best
    verdict = "as expected" if ratio >= EXPECTED else "less than expected"
    return f"{name:16} {ratio:.2f} x PyTorch's best ({on_wall:.2f} on the wall), {verdict}"


def main() -> None:
    """Measures and prints."""
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    program.start_tensorflow(_THREADS.value)
    import torch

    import data

    torch.set_num_threads(_THREADS.value)
    torch.set_flush_denormal(True)  # as TensorFlow does
    print(describe())
    peak = matmul_peak(_THREADS.value)
    dataset = data.load("dsprites")
    rows = np.random.default_rng(0).permutation(len(dataset))[:IMAGES]
    dataset = dataclasses.replace(
        dataset, storage=dataset.storage[rows], factors=dataset.factors[rows]
    )
    chosen = _ONLY.value or CASES
    lines = [compare(name, CASES[name], dataset, peak) for name in chosen]
    print("", *lines, f"expected: {EXPECTED} or more", sep="\n")


if __name__ == "__main__":
    program.run(main)
