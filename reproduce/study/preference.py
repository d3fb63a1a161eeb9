"""What raters prefer: the mixed model's estimate, exact tests, equivalence, side bias."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.stats

from data import random_streams
from reproduce.study import mixed_model, sample_size
from reproduce.study.responses import Responses

MARGIN = 0.1  # of the equivalence test: +-10 points about one half
NUM_FLIPS = 9_999
MIN_RATERS = MIN_ITEMS = 3  # fewer give no variance to speak of


@dataclasses.dataclass(frozen=True)
class Preference:
    """How often the target is chosen, by a new rater on a new pair of the same kind.

    Attributes:
        num_answers, num_raters, num_items: What it rests on.
        raw: The plain share of choices.
        share: The mixed model's, averaged over raters and pairs.
        low, high: Its 95% interval.
        p_value: The mixed model's, two-sided, against one half.
        equivalence_p: The larger p of the two one-sided tests that the share is within `MARGIN`
            of one half (Schuirmann 1987).
        binomial_p: Exact, were all answers independent.
        items_p: By flipping which strip of each pair is called the target: exact whatever raters
            have in common, if both strips were drawn alike.
        raters_p: By flipping the sign of each rater's preference: exact if raters' preferences
            are symmetric about none.
        sd_rater, sd_item: In logits.
        detectable: The preference that a study of this precision detects with power .9.
    """

    num_answers: int
    num_raters: int
    num_items: int
    raw: float
    share: float
    low: float
    high: float
    p_value: float
    equivalence_p: float
    binomial_p: float
    items_p: float
    raters_p: float
    sd_rater: float
    sd_item: float
    detectable: float

    @property
    def equivalent(self) -> bool:
        """Whether the share is shown to be within the margin."""
        return self.equivalence_p < sample_size.ALPHA


def estimate(responses: Responses, seed: int) -> Preference | None:
    """Estimates a preference; None where there are too few raters or pairs.

    Args:
        responses: The answers to pairs of one kind.
        seed: The seed of the flips.
    """
    if responses.num_raters < MIN_RATERS or responses.num_items < MIN_ITEMS:
        return None
    fitted = mixed_model.fit_preference(responses)
    sd, error = fitted.sd_total, float(fitted.standard_errors[0])
    share, low, high = mixed_model.marginal(np.array([fitted.beta[0], *fitted.interval(0)]), sd)
    votes = np.where(responses.chosen, 0.5, -0.5)
    rng = random_streams.generator(seed, random_streams.PREFERENCES)
    test = scipy.stats.binomtest(int(responses.chosen.sum()), len(responses))
    return Preference(
        num_answers=len(responses),
        num_raters=responses.num_raters,
        num_items=responses.num_items,
        raw=float(responses.chosen.mean()),
        share=float(share),
        low=float(low),
        high=float(high),
        p_value=fitted.p_value(0),
        equivalence_p=equivalence(fitted),
        binomial_p=float(test.pvalue),
        items_p=sign_flip(np.bincount(responses.items, votes), rng),
        raters_p=sign_flip(np.bincount(responses.raters, votes), rng),
        sd_rater=fitted.sd_rater,
        sd_item=fitted.sd_item,
        detectable=sample_size.smallest_detectable(error, fitted.df, sd),
    )


def equivalence(fitted: mixed_model.Fit) -> float:
    """The larger p of the two one-sided tests that the mean share is within the margin."""
    error = fitted.standard_errors[0]
    bound = mixed_model.conditional(0.5 + MARGIN, fitted.sd_total)  # the other is its negative
    below = scipy.stats.t.sf((bound - fitted.beta[0]) / error, fitted.df)
    above = scipy.stats.t.sf((fitted.beta[0] + bound) / error, fitted.df)
    return float(max(below, above))


def sign_flip(sums: np.ndarray, rng: np.random.Generator) -> float:
    """Two-sided p of a sum whose parts would be as likely of the other sign.

    Args:
        sums: float [m], the parts.
        rng: Draws `NUM_FLIPS` vectors of signs; the observed one counts as one more.
    """
    signs = rng.integers(2, size=(NUM_FLIPS, len(sums)), dtype=np.int8) * 2 - 1
    reached = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9
    return float((1 + reached.sum()) / (NUM_FLIPS + 1))


@dataclasses.dataclass(frozen=True)
class Share:
    """A share with its exact 95% interval (Clopper & Pearson 1934) and p against one half."""

    count: int
    share: float
    low: float
    high: float
    p_value: float


def exact_share(successes: int, count: int) -> Share:
    """A share of independent answers.

    Args:
        successes: How many were for it.
        count: How many there are, at least 1.
    """
    test = scipy.stats.binomtest(successes, count)
    low, high = test.proportion_ci(method="exact")
    return Share(count, successes / count, float(low), float(high), float(test.pvalue))
