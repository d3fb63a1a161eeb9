"""Scores representations as they are, by any of the field's metrics.

Examples:
    python -m reproduce.score --representation=representation.npz --metrics=mig,dci
    python -m reproduce.score --representation=a.npz,b.npz,c.npz --metrics=udr
    python -m reproduce.score --run_dir=runs/a --metrics=distance_to_orthogonality
"""

from __future__ import annotations

import logging
from typing import Any

from absl import flags

from data.files import InputError, check_output
from reproduce import choices, program
from reproduce.runs import RunDirectory

_REPRESENTATION = flags.DEFINE_list(
    "representation", [], "One representation.npz, or several with commas between."
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "A finished run, whose decoder distance_to_orthogonality needs."
)
_METRICS = flags.DEFINE_list(
    "metrics",
    list(choices.DEFAULT_SCORES),
    f"Some of {', '.join((*choices.METRICS, *choices.OF_MODELS))}.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Of splits, groups of rows and fits.", lower_bound=0)
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
    choices.check_metrics(metrics, choices.OF_MODELS)
    check_output(_OUTPUT.value)
    run = RunDirectory(_RUN_DIR.value) if _RUN_DIR.value else None
    files = program.paths(_REPRESENTATION.value) or ([str(run.representation_file)] if run else [])
    if not files:
        raise InputError("--representation is missing; give a representation.npz")
    if "distance_to_orthogonality" in metrics and (run is None or len(files) > 1):
        raise InputError(
            "distance_to_orthogonality needs a decoder: give --run_dir, one finished run"
        )

    import pandas as pd
    import tqdm

    from data.files import write_text
    from reproduce import representation, scoring

    workers = _WORKERS.value or program.num_cores()
    scored = [representation.load(file) for file in files]
    rows: list[tuple[str, str, float]] = []
    for metric in tqdm.tqdm(metrics, desc="scoring", unit=" metrics", disable=None):
        if metric == "udr":
            found = [{"udr": float(value)} for value in scoring.agreement(scored)]
        elif metric == "distance_to_orthogonality":
            assert run is not None
            found = [{metric: _distance_to_orthogonality(run, scored[0])}]
        else:
            found = [_score(one.points(), metric, workers) for one in scored]
        for file, scores in zip(files, found, strict=True):
            rows += [(file, column, value) for column, value in scores.items()]
    frame = pd.DataFrame(rows, columns=["representation", "metric", "value"])
    if len(files) == 1:
        frame = frame.drop(columns="representation")
    write_text(_OUTPUT.value, frame.to_csv(index=False))
    print(frame.to_string(index=False))


def _score(points: Any, metric: str, workers: int) -> dict[str, float]:
    """A metric; DCI, which alone takes minutes, says so beforehand and shows its progress."""
    import tqdm

    from reproduce import scoring
    from reproduce.metrics import dci

    if metric != "dci":
        return scoring.score(points, [metric], _SEED.value, workers)
    factors = points.split(_SEED.value)[1]
    minutes = dci.seconds(points.latents.shape[1], factors, min(workers, factors.shape[1])) / 60
    if minutes > 1:
        logging.warning(
            "dci fits trees to %s rows: about %.0f minutes; fewer rows, or dci_linear, take less",
            f"{len(factors):,}",
            minutes,
        )
    with tqdm.tqdm(
        desc="dci", total=factors.shape[1], unit=" factors", leave=False, disable=None
    ) as bar:
        return scoring.score(points, [metric], _SEED.value, workers, bar.update)


def _distance_to_orthogonality(run: RunDirectory, encoded: Any) -> float:
    """Rolinek et al. 2019's measure of a run's decoder, at latents of real images."""
    if run.read_config().recipe.model != "beta_vae":
        raise InputError(
            f"distance_to_orthogonality is a VAE's; {run.path} is a run of another model"
        )
    program.start_tensorflow()
    import numpy as np

    from reproduce import trained
    from reproduce.metrics import distance_to_orthogonality as measure

    rng = np.random.default_rng([_SEED.value, 4])
    points = rng.permutation(encoded.latents)[: _NUM_POINTS.value]
    model = trained.load_model(run)
    return float(measure.distance_to_orthogonality(measure.jacobians(model.decode, points)))


if __name__ == "__main__":
    program.run(main)
