"""The gate: whether a run's model is good enough for a verdict on its axes to mean anything.

What a run must show was fixed before any reported seed's images were looked at
(paper/protocol.md). A run that fails is inconclusive, never "like random".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from data.files import InputError
from models.registry import MODELS, Model
from reproduce.reporting import result_tables
from reproduce.training.run_directory import RunDirectory, read_log

READ = 0.8  # of the skill on real images that reading from reconstructions must reach
DISTANCE = 0.2  # total variation between what is read from samples and from real images, at most
MIN_FACTORS = 2  # that must count
SUPERVISED = 0.1  # MIG of the supervised rotation on rows that it was not found on, at least
ACCURACY = 0.55  # of a GAN's discriminator, averaged over the last tenth of the training, at least
MIN_PASSING = 2 / 3  # share of an arm's seeds
PASSED, FAILED, NOT_MEASURED = "passed", "failed", "not measured"

_REAL, _RECONSTRUCTED = "read from real images", "read from reconstructions"
_SAMPLED = "distance of samples"
COLUMNS = ("factor", _REAL, _RECONSTRUCTED, _SAMPLED)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the gate says of a run.

    Attributes:
        counted: Factors that the model's images show.
        left_out: The others.
        reasons: Why it fails, in words; none if it passes.
    """

    counted: tuple[str, ...]
    left_out: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether there is no reason against the run."""
        return not self.reasons


def measured(run: RunDirectory) -> pd.DataFrame | None:
    """quality.csv of a run; None where nothing was measured.

    Raises:
        InputError: If it is damaged.
    """
    if not run.quality_file.exists():
        return None
    try:
        table = result_tables.parse(run.quality_file)
        for column in COLUMNS[1:]:
            table[column] = pd.to_numeric(table[column])
        if table.empty or "factor" not in table:
            raise ValueError(f"expected rows with the columns {', '.join(COLUMNS)}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{run.quality_file}: damaged ({error}); make it anew") from error
    return table


def shows(model: Model, quality: pd.DataFrame) -> pd.Series:
    """Which factors a model's images show, by the rows of its quality.csv: bool [k].

    An encoder's factors count where they are read from reconstructions; those of a model without a
    posterior, which need not reconstruct anything, where its samples show them as often as real
    images do.
    """
    if model.has_posterior:
        return quality[_RECONSTRUCTED] >= READ * quality[_REAL]
    return quality[_SAMPLED] <= DISTANCE


def judge(run: RunDirectory, supervised: float | None) -> Outcome | None:
    """What the gate says of a run; None where its model's images were not looked at.

    Args:
        run: The run, with quality.csv and training.csv.
        supervised: MIG of its supervised rotation; None if that was not tested.

    Raises:
        InputError: If a file is damaged.
    """
    quality = measured(run)
    if quality is None:
        return None
    model = MODELS[run.read_config().recipe.model]
    how = f"are as frequent in samples as in real images, within {DISTANCE}"
    if model.has_posterior:
        how = f"are read from reconstructions at least {READ} times as well as from real images"
    shown = shows(model, quality)
    counted = tuple(quality.loc[shown, "factor"])
    reasons = []
    if len(counted) < MIN_FACTORS:
        reasons.append(f"{len(counted)} of {len(quality)} factors {how}; {MIN_FACTORS} are wanted")
    if supervised is None or not supervised >= SUPERVISED:
        value = "not tested" if supervised is None else f"{supervised:.3f}"
        reasons.append(f"MIG of the supervised rotation {value}; at least {SUPERVISED} is wanted")
    if "discriminator_accuracy" in model.logged:
        log = read_log(run.training_file, ["step", "discriminator_accuracy"], ())
        accuracy = result_tables.at_end(log, "discriminator_accuracy")
        if not accuracy >= ACCURACY:
            reasons.append(
                f"the discriminator tells {accuracy:.2f} of the images; {ACCURACY} is wanted"
            )
    return Outcome(counted, tuple(quality.loc[~shown, "factor"]), tuple(reasons))


def of_arm(outcomes: Sequence[Outcome | None]) -> dict[str, object]:
    """What the gate says of an arm's seeds together, as columns of verdict.csv.

    Args:
        outcomes: What it says of each; None where nothing was measured.

    Returns:
        `gate`: passed, failed, or not measured; `gate_passed`: how many seeds pass;
        `gate_reasons`: why others do not.
    """
    known = [outcome for outcome in outcomes if outcome is not None]
    passing = sum(outcome.passes for outcome in known)
    reasons = dict.fromkeys(reason for outcome in known for reason in outcome.reasons)
    state = PASSED if passing >= MIN_PASSING * len(outcomes) else FAILED
    return {
        "gate": state if len(known) == len(outcomes) else NOT_MEASURED,
        "gate_passed": passing,
        "gate_reasons": "; ".join(reasons),
    }
