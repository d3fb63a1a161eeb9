"""Raters with known preferences: by them the analysis is tried, and never anything claimed.

All that they answer is marked as simulated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.special

from reproduce.study import mixed_model
from reproduce.study.answers import COLUMNS
from reproduce.study.responses import Responses


@dataclasses.dataclass(frozen=True)
class Truth:
    """What simulated raters do.

    Attributes:
        preference: The share of choices of the learned axis, over raters and pairs.
        sd_rater, sd_item: How much raters and pairs vary, in logits.
        left_bias: How much the left side is favoured, in logits.
        catch_accuracy: The chance that an attentive rater answers a catch trial right.
        guessers: The share of raters who guess throughout.
    """

    preference: float = 0.5
    sd_rater: float = 0.5
    sd_item: float = 0.7
    left_bias: float = 0.0
    catch_accuracy: float = 0.97
    guessers: float = 0.0

    @functools.cached_property
    def logit(self) -> float:
        """The mean in logits at which the mean of choices is `preference`."""
        return mixed_model.conditional(
            self.preference, float(np.hypot(self.sd_rater, self.sd_item))
        )


def plain_study(
    truth: Truth, num_raters: int, num_trials: int, num_items: int, rng: np.random.Generator
) -> Responses:
    """A whole study's answers to test pairs, without stimuli or catch trials.

    Args:
        truth: What raters do; `guessers` and catch trials play no part.
        num_raters: Raters.
        num_trials: Pairs that each sees, a divisor of their number.
        num_items: Pairs.
        rng: Draws everything.
    """
    parts = num_items // num_trials
    seen = [
        part
        for _ in range(-(-num_raters // parts))
        for part in rng.permutation(num_items).reshape(parts, num_trials)
    ][:num_raters]
    raters, items = np.repeat(np.arange(num_raters), num_trials), np.concatenate(seen)
    left = rng.permuted(np.tile(np.arange(num_trials) % 2 == 0, (num_raters, 1)), axis=1).ravel()
    chosen = _choose(
        truth,
        rng.normal(0, truth.sd_rater, num_raters)[raters],
        rng.normal(0, truth.sd_item, num_items)[items],
        left,
        rng,
    )
    return Responses(chosen, left, raters, items)


def _choose(
    truth: Truth, rater: np.ndarray, item: np.ndarray, left: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    eta = truth.logit + rater + item + truth.left_bias * np.where(left, 1, -1)
    return rng.random(len(eta)) < scipy.special.expit(eta)


def answer(
    lists: Sequence[Sequence[Mapping[str, object]]],
    key: pd.DataFrame,
    truths: Mapping[str, Truth],
    num_raters: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Simulated raters' answers to a study's lists, in the columns of an export.

    Args:
        lists: The trials of each list, as STUDY/public/lists holds them.
        key: STUDY/private/key.csv.
        truths: By the key's `model`; an arm that is not named has that of "".
        num_raters: The first takes list 0, and so on, round and round.
        rng: Draws everything.
    """
    default = truths[""]
    strips = key.set_index("strip")
    kinds = key.drop_duplicates("item").set_index("item")
    item_effects = {item: rng.normal() for item in kinds.index}
    rows = []
    for rater in range(num_raters):
        name = rng.bytes(16).hex()
        guesses = rng.random() < default.guessers
        effect = rng.normal()
        number = rater % len(lists)
        for trial in lists[number]:
            item, left, right = (str(trial[part]) for part in ("item", "left", "right"))
            kind = kinds.loc[item, "kind"]
            truth = truths.get(str(kinds.loc[item, "model"]), default)
            on_left = bool(strips.loc[left, "target"])
            if guesses:
                goes_left = rng.random() < 0.5
            elif kind == "catch":
                goes_left = (rng.random() < truth.catch_accuracy) == on_left
            elif kind == "identical":
                goes_left = bool(rng.random() < scipy.special.expit(truth.left_bias))
            else:
                chosen = _choose(
                    truth,
                    np.array([truth.sd_rater * effect]),
                    np.array([truth.sd_item * item_effects[item]]),
                    np.array([on_left]),
                    rng,
                )[0]
                goes_left = bool(chosen) == on_left
            chosen_strip, other = (left, right) if goes_left else (right, left)
            named = _name(str(strips.loc[chosen_strip, "basis"]), chosen_strip, rng)
            rows.append(
                (
                    name,
                    number,
                    trial["trial"],
                    item,
                    chosen_strip,
                    other,
                    "left" if goes_left else "right",
                    int(rng.lognormal(7.8, 0.4)),
                    named if trial["ask_name"] else "",
                    "true",
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


_WORDS = ("size", "position", "rotation", "shape", "brightness")


def _name(basis: str, strip: str, rng: np.random.Generator) -> str:
    """A strip's own word, more often where one thing changes, else any word."""
    own = _WORDS[int(strip, 16) % len(_WORDS)]
    agrees = rng.random() < (0.7 if basis in ("learned", "single") else 0.4)
    return own if agrees else str(rng.choice(_WORDS))
