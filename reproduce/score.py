"""Scores representations as they are, by any of the field's metrics.

Examples:
    python -m reproduce.score --representation=representation.npz --metrics=mig,dci
    python -m reproduce.score --representation=a.npz,b.npz,c.npz --metrics=udr
    python -m reproduce.score --run_dir=runs/a --metrics=distance_to_orthogonality
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from absl import flags

from data import random_streams
from data.files import InputError, check_outputs
from models.registry import MODELS
from reproduce import program
from reproduce.metrics import registry
from reproduce.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from reproduce.basis.representation import Representation
    from reproduce.metrics.labelled_latents import LabelledLatents

_REPRESENTATION = flags.DEFINE_list(
    "representation", [], "One representation.npz, or several with commas between."
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "A finished run, whose decoder distance_to_orthogonality needs."
)
_METRICS = flags.DEFINE_list(
    "metrics",
    list(registry.DEFAULT),
    f"Some of {', '.join(registry.METRICS)}.",
)
_SEED = flags.DEFINE_integer("seed", 0, "The seed of splits, groups and fits.", lower_bound=0)
_NUM_POINTS = flags.DEFINE_integer(
    "num_points", 500, "Points at which distance_to_orthogonality is taken.", lower_bound=1
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Threads for fits; by default a core each. No value depends on it.",
    lower_bound=1,
)
_OUTPUT = flags.DEFINE_string("output", "scores.csv", "The table: metric, value.")


def main() -> None:
    """Checks the flags, scores, writes, prints."""
    metrics = _METRICS.value
    registry.check_metrics(metrics, list(registry.METRICS))
    run = RunDirectory(_RUN_DIR.value) if _RUN_DIR.value else None
    files = program.paths(_REPRESENTATION.value) or ([str(run.representation_file)] if run else [])
    if not files:
        raise InputError("--representation is missing; give a representation.npz")
    check_outputs([_OUTPUT.value], files)
    of_decoders = [name for name in metrics if registry.METRICS[name].source == "decoder"]
    if of_decoders and (run is None or len(files) > 1):
        raise InputError(f"{of_decoders[0]} needs a decoder: give --run_dir, one finished run")

    import pandas as pd

    from data.files import write_text
    from reproduce.basis import representation
    from reproduce.basis.model_agreement import agreement
    from reproduce.training import progress

    workers = _WORKERS.value or program.num_cores()
    scored = [representation.load(file) for file in files]
    for told in dict.fromkeys(one.identifiers() for one in scored):
        if told:
            logging.warning(told)
    rows: list[tuple[str, str, float]] = []
    for metric in progress.bar(metrics, desc="scoring", unit=" metrics"):
        source = registry.METRICS[metric].source
        if source == "runs":
            found = [{metric: float(value)} for value in agreement(scored, metric)]
        elif source == "decoder":
            assert run is not None
            found = [{metric: _of_decoder(metric, run, scored[0])}]
        else:
            found = [_score(one.points(), metric, workers) for one in scored]
        for file, scores in zip(files, found, strict=True):
            rows += [(file, column, value) for column, value in scores.items()]
    frame = pd.DataFrame(rows, columns=["representation", "metric", "value"])
    if len(files) == 1:
        frame = frame.drop(columns="representation")
    write_text(_OUTPUT.value, frame.to_csv(index=False))
    print(frame.to_string(index=False))


def _score(points: LabelledLatents, metric: str, workers: int) -> dict[str, float]:
    """A metric; one whose fits take minutes says so beforehand and shows its progress."""
    from reproduce.metrics import basis_scorer
    from reproduce.training import progress

    seconds, num_parts = registry.METRICS[metric].seconds, points.factors.shape[1]
    if seconds is None:
        return basis_scorer.score(points, [metric], _SEED.value, workers)
    factors = points.split(_SEED.value)[1]
    minutes = seconds(points.latents.shape[1], factors, min(workers, num_parts)) / 60
    if minutes > 1:
        logging.warning(
            "%s takes about %.0f minutes for %s rows; fewer rows take less",
            metric,
            minutes,
            f"{len(factors):,}",
        )
    with progress.bar(desc=metric, total=num_parts, unit=" factors", leave=False) as bar:
        return basis_scorer.score(points, [metric], _SEED.value, workers, bar.update)


def _of_decoder(metric: str, run: RunDirectory, encoded: Representation) -> float:
    """A metric of a run's decoder, at latents of real images."""
    if not MODELS[run.read_config().recipe.model].has_posterior:
        raise InputError(f"{metric} is a VAE's; {run.path} is a run of another model")
    program.start_tensorflow()

    from reproduce.training import trained_model

    rng = random_streams.generator(_SEED.value, random_streams.DECODER_LATENTS)
    points = rng.permutation(encoded.latents)[: _NUM_POINTS.value]
    model = trained_model.load_model(run)
    return registry.METRICS[metric].compute(model.decode, points)


if __name__ == "__main__":
    program.run(main)
