"""What several seeds show together: joint p-values, effects with intervals, verdicts, contrasts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats

from reproduce.basis import significance
from reproduce.basis.significance import ALIGNED, EQUIVALENT, INCONCLUSIVE, MARGIN

_CELLS = 2**16  # of the grid on which seeds' null distributions are convolved
_MAX_FLIPPED = 16  # seeds, up to which all ways to flip signs are counted
_RESAMPLES = 99_999
NARROW = 0.9  # the level of the interval that judges equivalence: two one-sided tests at .05


@dataclasses.dataclass(frozen=True, eq=False)
class JointNull:
    """Null distribution of the mean over seeds: of every pairing of the seeds' draws.

    Attributes:
        mean: The expected mean over seeds.
        sd: Its standard deviation (ddof 1 within a seed); NaN for a single draw.
        num_draws: N, the smallest number of draws of a seed, on which the smallest p depends.
        values: float64 [m], ascending: means over seeds.
        tail: float64 [m + 1]: the share of pairings that reach each of them, and 0.
        slack: Values that are lower by no more count as reached.
    """

    mean: float
    sd: float
    num_draws: int
    values: np.ndarray
    tail: np.ndarray
    slack: float

    def p_value(self, observed: float) -> float:
        """The p-value that draws paired at random would give, averaged over all pairings.

        (1 + N share) / (N + 1), where `share` of all pairings of one draw for each seed have a mean
        at least as high. Of a single seed it is that of `significance.p_value`.
        """
        if np.isnan(observed) or np.isnan(self.mean):
            return float("nan")
        share = self.tail[np.searchsorted(self.values, observed - self.slack)]
        return float((1 + self.num_draws * share) / (self.num_draws + 1))

    def z_score(self, observed: float) -> float:
        """As `significance.z_score`."""
        return significance.standardised(observed, self.mean, self.sd)

    def smallest_detectable(self, alpha: float) -> float:
        """The smallest mean that would have had p <= alpha, or infinity if none could."""
        if np.isnan(self.mean):
            return float("nan")
        allowed = (alpha * (self.num_draws + 1) - 1 + significance.TIE) / self.num_draws
        if allowed < 0:
            return float("inf")
        reached = self.values[self.tail[:-1] > allowed]
        return float((reached[-1] if len(reached) else self.values[0]) + self.slack)


def joint_null(nulls: Sequence[np.ndarray]) -> JointNull:
    """The null distribution of the mean over seeds, each with a random basis of its own.

    The seeds' distributions are convolved on a grid of `_CELLS` cells, to the nearest of which each
    draw is rounded. What rounding could have moved below an observed value counts as reached, so
    that no p-value is too small.

    Args:
        nulls: float [N_i], the draws of each seed.
    """
    draws = [np.asarray(null, np.float64) for null in nulls]
    mean = float(np.mean([null.mean() for null in draws]))
    variances = [null.var(ddof=1) if len(null) > 1 else np.nan for null in draws]
    sd = float(np.sqrt(np.sum(variances)) / len(draws))
    length = min(map(len, draws))
    lowest = [null.min() for null in draws]
    span = sum(float(np.ptp(null)) for null in draws)
    if len(draws) == 1 or not span > 0:  # also where a draw is not a number
        values = np.sort(draws[0]) if len(draws) == 1 else np.array([mean])
        tail = np.arange(len(values), -1, -1) / len(values)
        return JointNull(mean, sd, length, values, tail, significance.TIE)
    width = span / (_CELLS - len(draws))
    spectrum = np.ones(_CELLS // 2 + 1, complex)
    for null, low in zip(draws, lowest, strict=True):
        cells = np.rint((null - low) / width).astype(np.int64)
        spectrum *= np.fft.rfft(np.bincount(cells, minlength=_CELLS) / len(null))
    shares = np.fft.irfft(spectrum, _CELLS)
    shares[np.abs(shares) < 1e-13] = 0  # the transform's rounding
    tail = np.append(np.cumsum(shares[::-1])[::-1], 0.0).clip(0, 1)
    values = (sum(lowest) + width * np.arange(_CELLS)) / len(draws)
    return JointNull(mean, sd, length, values, tail, significance.TIE + width / 2)


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean over seeds with its uncertainty; NaN where a single seed tells none.

    Attributes:
        mean: Over seeds.
        sd: Between seeds (ddof 1).
        low: Lower end of Student's 95% interval.
        high: Its upper end.
        boot_low: Lower end of the 95% bootstrap interval (percentiles).
        boot_high: Its upper end.
        narrow_low: Lower end of Student's 90% interval, by which equivalence is judged.
        narrow_high: Its upper end.
    """

    mean: float
    sd: float
    low: float
    high: float
    boot_low: float
    boot_high: float
    narrow_low: float
    narrow_high: float

    def lies_within(self, margin: float) -> bool:
        """Whether the 90% interval lies within +- margin: two one-sided tests at .05 (TOST)."""
        return bool(-margin < self.narrow_low and self.narrow_high < margin)


def interval(values: Sequence[float], rng: np.random.Generator) -> Interval:
    """The mean of values, one for each seed, and intervals for it.

    Args:
        values: The seeds' effects.
        rng: Draws the bootstrap's seeds.
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2 or not np.all(np.isfinite(x)):
        return Interval(float(x.mean()), *[float("nan")] * 7)
    sd = float(x.std(ddof=1))
    means = x[rng.integers(len(x), size=(9_999, len(x)))].mean(axis=1)
    boot = np.quantile(means, [0.025, 0.975])
    mean = float(x.mean())
    wide, narrow = (students(mean, sd, len(x), level) for level in (0.95, NARROW))
    ends = [*wide, *map(float, boot), *narrow]
    return Interval(mean, sd, *ends)


def students(mean: float, sd: float, num_seeds: int, level: float) -> tuple[float, float]:
    """Student's interval for a mean over seeds, whose standard deviation between seeds is sd."""
    half = float(scipy.stats.t.ppf((1 + level) / 2, num_seeds - 1) * sd / np.sqrt(num_seeds))
    return mean - half, mean + half


def smallest_difference(critical: float, sd: float, num_seeds: int, power: float = 0.8) -> float:
    """The smallest true mean effect that a test over new seeds finds with the given power.

    The mean over seeds is normal about the true effect with the variance between seeds, which is
    estimated; Student's quantile allows for that.

    Args:
        critical: The smallest mean effect that is significant.
        sd: The effects' standard deviation between seeds; NaN if unknown.
        num_seeds: How many seeds are averaged.
        power: The probability of finding it.
    """
    if num_seeds < 2:
        return float("nan")
    quantile = scipy.stats.t.ppf(power, num_seeds - 1)
    return float(critical + quantile * sd / np.sqrt(num_seeds))


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the seeds of one arm show against one family of random bases.

    All but `observed`, `null_mean` and `detectable` are in the direction in which higher is better.

    Attributes:
        observed: The learned basis' mean over seeds.
        null_mean: The mean over random bases and seeds.
        null_sd: The standard deviation of the mean over seeds, each with a random basis.
        z: The learned basis' distance from `null_mean` in `null_sd`.
        p_value: The mean over seeds'; conditional on them.
        detectable: The smallest mean that would have been significant.
        effect: Learned basis minus mean of its random ones, over seeds.
        smallest_difference: The smallest true effect that so many new seeds find with power .8.
    """

    observed: float
    null_mean: float
    null_sd: float
    z: float
    p_value: float
    detectable: float
    effect: Interval
    smallest_difference: float


def weigh(
    observed: Sequence[float],
    nulls: Sequence[np.ndarray],
    rng: np.random.Generator,
    sign: int = 1,
    alpha: float = 0.05,
) -> Evidence:
    """What seeds show against random bases.

    Args:
        observed: The learned basis' value at each seed.
        nulls: float [N_i], the random bases' values at each seed.
        rng: Draws the bootstrap's seeds.
        sign: 1 where higher is better, -1 where lower is.
        alpha: Level of significance.
    """
    joint = joint_null([sign * null for null in nulls])
    mean = float(np.mean(observed))
    effects = [sign * (value - null.mean()) for value, null in zip(observed, nulls, strict=True)]
    effect = interval(effects, rng)
    critical = joint.smallest_detectable(alpha)
    return Evidence(
        mean,
        sign * joint.mean,
        joint.sd,
        joint.z_score(sign * mean),
        joint.p_value(sign * mean),
        sign * critical,
        effect,
        smallest_difference(critical - joint.mean, effect.sd, len(effects)),
    )


def verdict(
    evidence: Sequence[Evidence],
    p_value: float,
    alpha: float = 0.05,
    margin: float | None = MARGIN,
    is_worth_testing: bool = True,
) -> str:
    """One of the three verdicts of paper/protocol.md.

    Args:
        evidence: Against each null.
        p_value: The largest of theirs, adjusted where the hypothesis is primary.
        alpha: Level of significance.
        margin: What is as good as no effect; None: nothing is known to be.
        is_worth_testing: Whether the models passed the gate.
    """
    if not is_worth_testing:
        return INCONCLUSIVE
    if p_value <= alpha:
        return ALIGNED
    if margin is not None and all(one.effect.lies_within(margin) for one in evidence):
        return EQUIVALENT
    return INCONCLUSIVE


def permutation_contrast(
    effects: Sequence[float], control: Sequence[float], rng: np.random.Generator
) -> tuple[float, float]:
    """One-sided permutation test over seeds that the first arm's mean effect is the larger.

    Exact while there are at most 99,999 ways to assign the seeds to the arms, else as many draws.

    Returns:
        The p-value, and the smallest that these numbers of seeds allow; NaN and that where an
        effect is not finite, so that means cannot be compared.
    """
    ways = scipy.special.comb(len(effects) + len(control), len(effects))
    floor = 1 / ways if ways <= _RESAMPLES else 1 / (_RESAMPLES + 1)
    if not np.all(np.isfinite([*effects, *control])):
        return float("nan"), float(floor)

    def difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    result = scipy.stats.permutation_test(
        (np.asarray(effects), np.asarray(control)),
        difference,
        vectorized=True,
        n_resamples=_RESAMPLES,
        alternative="greater",
        rng=rng,
    )
    return float(result.pvalue), float(floor)


def sign_flips(differences: Sequence[float], rng: np.random.Generator) -> tuple[float, float]:
    """One-sided test that the mean of paired differences is above 0, by flips of their signs.

    Exact for up to 16 pairs, else by 99,999 draws.

    Args:
        differences: One for each pair, such as two arms' effects at one seed.
        rng: Draws the flips of many pairs.

    Returns:
        The p-value, and the smallest that so many pairs allow; NaN and that where a difference is
        not finite.
    """
    d = np.asarray(differences, np.float64)
    if len(d) <= _MAX_FLIPPED:
        signs = 1 - 2 * (np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1)
        added = 0
    else:
        signs = rng.choice([-1, 1], size=(_RESAMPLES, len(d)))
        added = 1  # the differences as they are
    floor = 1 / (len(signs) + added)
    if not np.all(np.isfinite(d)):
        return float("nan"), floor
    reached = np.sum(signs @ d >= d.sum() - significance.TIE)
    return float((reached + added) / (len(signs) + added)), floor
