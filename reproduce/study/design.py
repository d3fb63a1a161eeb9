"""Which rater sees which pairs, on which side and when: fixed before anybody answers.

Every list holds the same number of pairs of each group. Lists come in blocks: over a block every
pair is seen twice, once with each strip on the left. In which trials a rater is asked what changed
is drawn from all of a list: were it from the test pairs alone, the question would tell them apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from data.files import InputError


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two strips to choose between.

    Attributes:
        item: Its identifier.
        strips: The two, the target (if there is one) first.
    """

    item: str
    strips: tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Group:
    """Pairs of one kind, of which every list holds so many.

    Attributes:
        pairs: Those of one arm side by side: each list gets as many of every arm as can be.
        per_list: How many a list holds, a divisor of their number.
    """

    pairs: Sequence[Pair]
    per_list: int

    @property
    def lists_per_block(self) -> int:
        """How many lists it takes until every pair was seen with either strip on the left."""
        return 2 * len(self.pairs) // self.per_list


@dataclasses.dataclass(frozen=True)
class Trial:
    """One question of one list."""

    item: str
    left: str
    right: str
    ask_name: bool


def check_groups(groups: Mapping[str, Group]) -> None:
    """Raises InputError where pairs cannot be dealt evenly."""
    for name, group in groups.items():
        if group.per_list and len(group.pairs) % group.per_list:
            raise InputError(
                f"{len(group.pairs)} {name} pairs cannot be dealt to lists of {group.per_list}; "
                "expected a divisor"
            )


def lists_needed(groups: Sequence[Group], num_raters: int) -> int:
    """The fewest lists, whole blocks of them, so that no list is needed twice."""
    block = math.lcm(*(group.lists_per_block for group in groups if group.per_list))
    return -(-num_raters // block) * block


def deal(
    groups: Sequence[Group], num_lists: int, names: int, rng: np.random.Generator
) -> list[list[Trial]]:
    """Deals pairs to lists.

    Args:
        groups: Each evenly divisible.
        num_lists: A multiple of every group's block, as `lists_needed` gives it.
        names: In how many trials of each list the rater is asked what changed.
        rng: Draws parts, sides, and of each list the order and the trials that ask.
    """
    lists: list[list[tuple[str, str, str]]] = [[] for _ in range(num_lists)]
    for group in groups:
        if not group.per_list:
            continue
        num_parts = len(group.pairs) // group.per_list
        for first in range(0, num_lists, 2 * num_parts):
            for number, trials in enumerate(_block(group, num_parts, rng)):
                lists[first + number] += trials
    return [_shuffled(trials, names, rng) for trials in lists]


def _shuffled(
    trials: Sequence[tuple[str, str, str]], names: int, rng: np.random.Generator
) -> list[Trial]:
    asked = rng.permutation(len(trials)) < names
    made = [
        Trial(item, left, right, bool(ask))
        for (item, left, right), ask in zip(trials, asked, strict=True)
    ]
    return [made[index] for index in rng.permutation(len(made))]


def _block(
    group: Group, num_parts: int, rng: np.random.Generator
) -> list[list[tuple[str, str, str]]]:
    """Parts of the pairs, and the same parts with sides changed: item, left and right strip."""
    # Dealt like cards from pairs shuffled within hands: neighbours, and so arms, are spread evenly.
    hands = [
        rng.permutation(np.arange(first, first + num_parts))
        for first in range(0, len(group.pairs), num_parts)
    ]
    lists = []
    for part in zip(*hands, strict=True):
        n = len(part)
        swapped = rng.permutation(np.arange(n) < n // 2 + (n % 2) * rng.integers(2))
        for flip in (False, True):
            lists.append(
                [
                    _placed(group.pairs[pair], bool(swap ^ flip))
                    for pair, swap in zip(part, swapped, strict=True)
                ]
            )
    return lists


def _placed(pair: Pair, swap: bool) -> tuple[str, str, str]:
    left, right = pair.strips[::-1] if swap else pair.strips
    return pair.item, left, right
