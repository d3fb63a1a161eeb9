"""The blind game: the learned basis lies somewhere on a slider, and the visitor says where.

In every round the slider is a stretch of a geodesic through the learned basis, with its own random
direction, its own starting image, its axes in random order and with random signs. Where on the
slider the learned basis lies is drawn uniformly, so that a visitor who sees nothing is right by
chance alone, whatever rule the guesses follow. By that the page judges the guesses
(page/src/judge.js), which learns the places only when all of them are made.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data.files import InputError
from reproduce.basis import bases
from reproduce.explore import frames
from reproduce.explore.loaded_run import NUM_IMAGES, Space

PLACES = 200  # steps of the slider, from 0 to 200; its length is that from a basis to a random one
NUM_ROUNDS = (5, 10, 20)
MIN_SIZE = 3  # in two dimensions a quarter turn leads back to the learned axes


@dataclasses.dataclass(frozen=True, eq=False)
class Round:
    """What is hidden in a round.

    Attributes:
        hidden: The place 0..PLACES of the learned basis.
        rotation: float64 [k, k], whither the path leads.
        order: float64 [k, k], a signed permutation of the axes.
        image: Which of the starting ones is shown.
    """

    hidden: int
    rotation: np.ndarray
    order: np.ndarray
    image: int

    def basis(self, place: int) -> np.ndarray:
        """The basis float64 [k, k] at a place of the slider."""
        return frames.at(self.rotation, (place - self.hidden) / PLACES) @ self.order


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

    def result(self) -> tuple[list[int], list[int]] | None:
        """Hidden places and guesses, once all rounds are guessed."""
        if self.current is not None:
            return None
        return [one.hidden for one in self._rounds], self._guesses
