"""What a study consists of, checked before anything heavy starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data.files import InputError
from reproduce.training.run_directory import RunConfig

CATCH_PAIRS_PER_TRIAL = 4  # pairs of the pool for each trial of a list
IDENTICAL_PAIRS_PER_TRIAL = 4
NUM_PRACTICE = 3
NUM_FRAMES = 7
MIN_CATCH_SHARE = 0.1  # of a list's trials (paper/protocol.md)
BREAK_EVERY = 16


@dataclasses.dataclass(frozen=True)
class Plan:
    """The numbers of a study; `reproduce.study.stimuli` explains them.

    Attributes:
        seed: The seed of every draw.
        pairs, label_free_pairs: Each arm's, by the rule that draws directions.
        trials, label_free_trials, catch_trials, identical_trials: Each list's.
        names: Trials of each list in which the rater is asked what changes.
        raters: How many are planned.
        energy_share: A strip's energy over the mean squared difference between two images.
        power_repetitions: Simulated studies of the power calculation.
    """

    seed: int = 0
    pairs: int = 64
    label_free_pairs: int = 16
    trials: int = 32
    label_free_trials: int = 8
    catch_trials: int = 6
    identical_trials: int = 2
    names: int = 8
    raters: int = 60
    energy_share: float = 0.3
    power_repetitions: int = 100

    @property
    def trials_per_list(self) -> int:
        """All of them."""
        return self.trials + self.label_free_trials + self.catch_trials + self.identical_trials


def arm_of(config: RunConfig) -> tuple[str, str]:
    """What is judged together: the arm and the data set."""
    return config.arm, config.data_set


def check(plan: Plan, configs: Sequence[RunConfig]) -> None:
    """Raises InputError where the numbers do not go together."""
    num_arms = len({arm_of(config) for config in configs})
    for flag, pairs, trials in (
        ("trials", plan.pairs, plan.trials),
        ("label_free_trials", plan.label_free_pairs, plan.label_free_trials),
    ):
        if (
            (trials and (num_arms * pairs) % trials)
            or (pairs and not trials)
            or (trials and not pairs)
        ):
            raise InputError(
                f"--{flag}={trials} with {num_arms} arms of {pairs} pairs; expected a divisor of "
                f"{num_arms * pairs}"
            )
    if plan.catch_trials < MIN_CATCH_SHARE * plan.trials_per_list:
        raise InputError(
            f"--catch_trials={plan.catch_trials} of {plan.trials_per_list} trials; expected a "
            "tenth or more"
        )
    if plan.names > plan.trials_per_list:
        raise InputError(
            f"--names={plan.names}; expected no more than a list's {plan.trials_per_list} trials"
        )


def check_output(output: str) -> None:
    """Raises InputError where something is there already: a study is drawn once."""
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} is not empty; a study is drawn once, so give a new --output or remove it"
        )
