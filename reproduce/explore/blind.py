"""The blind game: the learned basis lies somewhere on a slider, and the visitor says where.

In every round the slider is a stretch of a geodesic through the learned basis, with its own random
direction, its own starting image, its axes in random order and with random signs. Where on the
slider the learned basis lies is drawn uniformly, so that a visitor who sees nothing is right by
chance alone, whatever rule the guesses follow: the test needs no other assumption.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data.files import InputError
from reproduce.basis import bases, significance
from reproduce.explore import frames
from reproduce.explore.loaded_run import NUM_IMAGES, Space

PLACES = 200  # steps of the slider, from 0 to 200; its length is that from a basis to a random one
NEAR = 0.05  # of the slider: a hit
NUM_ROUNDS = (5, 10, 20)
MIN_SIZE = 3  # in two dimensions a quarter turn leads back to the learned axes
_NUM_DRAWS = 9999


@dataclasses.dataclass(frozen=True, eq=False)
class Round:
    """What is hidden in a round.

    Attributes:
        hidden: The place 0..PLACES of the learned basis.
        rotation: float64 [k, k], whither the path leads.
        order: float64 [k, k], a signed permutation of the axes.
        image: Of the starting ones.
    """

    hidden: int
    rotation: np.ndarray
    order: np.ndarray
    image: int

    def basis(self, place: int) -> np.ndarray:
        """The basis float64 [k, k] at a place of the slider."""
        return frames.at(self.rotation, (place - self.hidden) / PLACES) @ self.order


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """How a session went; shares are of the slider's length.

    Attributes:
        misses: float64 [n], how far each guess is from the learned basis.
        mean_miss: Their mean.
        chance_miss: What the same guesses miss by on average where they know nothing.
        chance_low, chance_high: Between these are 95% of such blind sessions.
        p_value: (1 + blind sessions that are as near on average) / (1 + blind sessions).
        hits: Guesses within `NEAR`.
        chance_hits: How many of the same guesses would be, on average.
    """

    misses: np.ndarray
    mean_miss: float
    chance_miss: float
    chance_low: float
    chance_high: float
    p_value: float
    hits: int
    chance_hits: float


def draw_rounds(
    space: Space, num_rounds: int, num_images: int, rng: np.random.Generator
) -> tuple[Round, ...]:
    """Draws a session.

    Raises:
        InputError: If the space is too small for the game.
    """
    if space.size < MIN_SIZE:
        raise InputError(
            f"the blind game needs {MIN_SIZE} axes, and there are {space.size}: in a plane every "
            "quarter turn leads back to the learned ones"
        )
    images = rng.permutation(np.arange(num_rounds) % min(num_images, NUM_IMAGES))
    return tuple(
        Round(
            int(rng.integers(PLACES + 1)),
            bases.haar(1, space.size, rng)[0],
            bases.signed_permutation(1, space.size, rng)[0],
            int(image),
        )
        for image in images
    )


def judge(hidden: np.ndarray, guesses: np.ndarray, rng: np.random.Generator) -> Outcome:
    """Compares guesses with where the learned basis was, and with blind guessing.

    The null hypothesis: the guesses know nothing of the places, which are uniform. It is simulated
    by new places for the same guesses.

    Args:
        hidden: int [n], places.
        guesses: int [n], places.
        rng: Draws.
    """
    misses = np.abs(guesses - hidden) / PLACES
    possible = np.abs(guesses[:, None] - np.arange(PLACES + 1)) / PLACES  # [n, PLACES + 1]
    drawn = rng.integers(PLACES + 1, size=(_NUM_DRAWS, len(guesses)))
    null = np.abs(guesses - drawn).mean(axis=1) / PLACES
    low, high = np.quantile(null, [0.025, 0.975])
    return Outcome(
        misses,
        float(misses.mean()),
        float(possible.mean()),
        float(low),
        float(high),
        significance.p_value(-float(misses.mean()), -null),
        int(np.sum(misses <= NEAR)),
        float((possible <= NEAR).mean(axis=1).sum()),
    )


class Session:
    """A visitor's rounds; what is hidden leaves it only when all of them are guessed."""

    def __init__(self, run: int, space: str, rounds: tuple[Round, ...], seen: bool) -> None:
        """Begins with the first round.

        Args:
            run: The run's number.
            space: What is rotated.
            rounds: Drawn beforehand.
            seen: Whether the visitor has seen the learned axes before.
        """
        self.run, self.space, self.seen = run, space, seen
        self._rounds = rounds
        self._guesses: list[int] = []

    @property
    def number(self) -> int:
        """The rounds that are guessed."""
        return len(self._guesses)

    @property
    def num_rounds(self) -> int:
        """All rounds."""
        return len(self._rounds)

    @property
    def current(self) -> Round | None:
        """The round that is played, or None at the end."""
        return self._rounds[self.number] if self.number < self.num_rounds else None

    def guess(self, number: int, place: int) -> bool:
        """Takes a guess; returns False if it contradicts what was guessed before.

        The same guess once more, as after a lost reply, changes nothing.
        """
        if number < self.number:
            return self._guesses[number] == place
        if number > self.number or self.current is None:
            return False
        self._guesses.append(place)
        return True

    def result(self) -> tuple[np.ndarray, np.ndarray, Outcome] | None:
        """Hidden places, guesses and the outcome, once all rounds are guessed."""
        if self.current is not None:
            return None
        hidden = np.array([one.hidden for one in self._rounds])
        guesses = np.array(self._guesses)
        return hidden, guesses, judge(hidden, guesses, np.random.default_rng(0))


def headline(outcome: Outcome) -> str:
    """What an outcome comes to."""
    if outcome.p_value <= 0.05:
        return "You found the learned basis better than by chance"
    return "Your guesses are not distinguishable from blind ones"


def sentence(outcome: Outcome, seen: bool) -> str:
    """An outcome in words."""
    n = len(outcome.misses)
    text = (
        f"You were {100 * outcome.mean_miss:.0f}% of the slider away on average over {n} rounds. "
        f"The same guesses made blindly would be {100 * outcome.chance_miss:.0f}% away "
        f"({100 * outcome.chance_low:.0f} to {100 * outcome.chance_high:.0f}% in 95 of 100 such "
        f"sessions); p = {outcome.p_value:.2g}. Within {100 * NEAR:.0f}% of the slider: "
        f"{outcome.hits} of {n} guesses, by chance {outcome.chance_hits:.1f}."
    )
    if seen:
        text += (
            " You had seen this model's learned axes before. To know them again is memory, not a "
            "judgement of them."
        )
    return text
