"""Whether raters find the same word for what changes in a strip."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from data import random_streams
from reproduce.study import preference

# Words that say that something changes, not what.
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        "a an and any change changed changes changing gets goes is it its just my of one only "
        "picture strip thing that the there they this to was which",
    )
)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How often two raters who name the same strip's change use the same words.

    Attributes:
        learned, random: The mean over strips that two raters or more named; None where none were.
        num_learned, num_random: Such strips.
        p_value: The difference's over pairs of such strips, by flipping signs; None if there are
            too few pairs.
    """

    learned: float | None
    random: float | None
    num_learned: int
    num_random: int
    p_value: float | None


def normalise(name: str) -> str:
    """A name without case, accents, punctuation, order, and words that do not say what changes."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = set(re.findall(r"\w+", plain))
    return " ".join(sorted(words - _EMPTY or words))


def agreement_of(names: Sequence[str]) -> float:
    """The chance that two different raters' names are the same; not a number for fewer than two.

    Simpson's index without replacement: sum n_i (n_i - 1) / (n (n - 1)).
    """
    n = len(names)
    if n < 2:
        return float("nan")
    return sum(count * (count - 1) for count in Counter(names).values()) / (n * (n - 1))


def compare(answers: pd.DataFrame, key: pd.DataFrame, seed: int) -> Agreement:
    """Learned against random strips.

    A rater names the strip that was chosen, so that the strips of a pair are named by different
    raters.

    Args:
        answers: Answers to test pairs.
        key: The study's.
        seed: The seed of the flips.
    """
    named = answers[answers["name"].str.strip().ne("")]
    names = named["name"].map(normalise).groupby(named["chosen"]).agg(list)
    table = key[key["kind"] == "test"].set_index("strip")
    values = (
        table["item"]
        .to_frame()
        .assign(
            basis=table["basis"],
            agreement=names.reindex(table.index).map(
                lambda own: agreement_of(own) if isinstance(own, list) else float("nan")
            ),
        )
    )
    wide = values.pivot(index="item", columns="basis", values="agreement")
    wide = wide.reindex(columns=["learned", "random"])
    counts, means = wide.notna().sum(), wide.mean()
    both = (wide["learned"] - wide["random"]).dropna().to_numpy(float)
    enough = len(both) >= preference.MIN_ITEMS
    return Agreement(
        float(means["learned"]) if counts["learned"] else None,
        float(means["random"]) if counts["random"] else None,
        int(counts["learned"]),
        int(counts["random"]),
        preference.sign_flip(both, random_streams.generator(seed, random_streams.NAMES))
        if enough
        else None,
    )
