"""The logistic mixed model with crossed random effects of raters and items.

    logit P(y = 1) = x beta + u_rater + v_item,   u ~ N(0, sd_rater^2), v ~ N(0, sd_item^2)

after Baayen, Davidson & Bates 2008. The random effects, and with them beta, are integrated out by
Laplace's approximation, and the two deviations maximise what is left: restricted maximum
likelihood, as glmmTMB fits it (Brooks et al. 2017). Beta has a weak prior, N(0, 3^2) as Gelman et
al. 2008 advise for logits, or raters of one mind would make it infinite.

The model is written out here because what there is in Python does not hold its level on such data:
statsmodels' variational fit leaves out that the intercept and the random effects are correlated
and gives intervals of less than half the width, its MAP fit takes the deviations to zero, and
gpboost's standard errors are missing in some fits. `reproduce.study.coverage` measures how well
this one does.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats

if TYPE_CHECKING:
    from reproduce.study.responses import Responses

PRIOR_SD = 3.0  # of the fixed effects, in logits
_SD_BOUNDS = (0.01, 5.0)
_START_SD = 0.5
_MAX_NEWTON_STEPS = 50
_TOLERANCE = 1e-9
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes:
        beta: float64 [p], the fixed effects, in logits.
        covariance: float64 [p, p], theirs.
        sd_rater, sd_item: The random effects' standard deviations, in logits.
        df: Degrees of freedom of beta's t distribution: one less than the fewer of raters and
            items, since the interval's width rests on so many independent effects.
    """

    beta: np.ndarray
    covariance: np.ndarray
    sd_rater: float
    sd_item: float
    df: int

    @property
    def standard_errors(self) -> np.ndarray:
        """The fixed effects' standard errors: float64 [p]."""
        return np.sqrt(np.diagonal(self.covariance))

    def interval(self, index: int, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of one fixed effect."""
        reach = scipy.stats.t.ppf((1 + level) / 2, self.df) * self.standard_errors[index]
        return float(self.beta[index] - reach), float(self.beta[index] + reach)

    def p_value(self, index: int, value: float = 0.0) -> float:
        """The two-sided p-value that one fixed effect equals a value."""
        t = (self.beta[index] - value) / self.standard_errors[index]
        return float(2 * scipy.stats.t.sf(abs(t), self.df))

    @property
    def sd_total(self) -> float:
        """The standard deviation of a new rater's answer to a new item, in logits."""
        return float(np.hypot(self.sd_rater, self.sd_item))


def fit(x: np.ndarray, y: np.ndarray, raters: np.ndarray, items: np.ndarray) -> Fit:
    """Fits the model.

    Args:
        x: float [n, p], the fixed effects' design, of full rank.
        y: bool or 0/1 [n].
        raters: int [n], from 0.
        items: int [n], from 0.
    """
    data = _Data(x, y, raters, items)

    def objective(log_sds: np.ndarray) -> float:
        return -data.log_likelihood(np.exp(log_sds))[0]

    best = scipy.optimize.minimize(
        objective,
        np.log([_START_SD, _START_SD]),
        method="L-BFGS-B",
        bounds=[(math.log(_SD_BOUNDS[0]), math.log(_SD_BOUNDS[1]))] * 2,
        options={"eps": 1e-4},
    )
    sds = np.exp(best.x)
    _, mode, cholesky = data.log_likelihood(sds)
    p = data.x.shape[1]
    unit = np.eye(len(mode))[:, -p:]
    covariance = scipy.linalg.cho_solve((cholesky, True), unit)[-p:]
    df = max(min(data.num_raters, data.num_items) - 1, 1)
    return Fit(mode[-p:], covariance, float(sds[0]), float(sds[1]), df)


class _Data:
    """The answers, and where the last mode was: the next one is near it."""

    def __init__(self, x: np.ndarray, y: np.ndarray, raters: np.ndarray, items: np.ndarray) -> None:
        self.x, self.y = np.asarray(x, float), np.asarray(y, float)
        self.raters, self.items = raters, items
        self.num_raters, self.num_items = int(raters.max()) + 1, int(items.max()) + 1
        p = self.x.shape[1]
        self.mode = np.zeros(self.num_raters + self.num_items + p)
        self._prior_precisions = np.ones(len(self.mode))
        self._prior_precisions[-p:] = PRIOR_SD**-2

    def log_likelihood(self, sds: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Laplace's restricted log likelihood of the deviations, but for a constant.

        Returns:
            It; the joint mode of standardised random effects and beta; and the lower Cholesky
            factor of the negative Hessian there.
        """
        mode = self.mode
        value = self._penalised(mode, sds)
        for _ in range(_MAX_NEWTON_STEPS):
            gradient, hessian = self._derivatives(mode, sds)
            cholesky = scipy.linalg.cholesky(hessian, lower=True, check_finite=False)
            step = scipy.linalg.cho_solve((cholesky, True), gradient, check_finite=False)
            while True:  # halved until it climbs: the function is concave
                following = self._penalised(mode + step, sds)
                if following >= value - _TOLERANCE:
                    break
                step = step / 2
            mode, gain, value = mode + step, following - value, following
            if gain < _TOLERANCE:
                break
        self.mode = mode
        return value - np.log(np.diagonal(cholesky)).sum(), mode, cholesky

    def _linear(self, mode: np.ndarray, sds: np.ndarray) -> np.ndarray:
        u, v, beta = np.split(mode, [self.num_raters, self.num_raters + self.num_items])
        return self.x @ beta + sds[0] * u[self.raters] + sds[1] * v[self.items]

    def _penalised(self, mode: np.ndarray, sds: np.ndarray) -> float:
        """Log likelihood given all effects, and the log density of these."""
        eta = self._linear(mode, sds)
        return float(
            self.y @ eta - np.logaddexp(0, eta).sum() - mode**2 @ self._prior_precisions / 2
        )

    def _derivatives(self, mode: np.ndarray, sds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and negative Hessian of `_penalised`."""
        n, m, p = self.num_raters, self.num_items, self.x.shape[1]
        chance = scipy.special.expit(self._linear(mode, sds))
        residual, weight = self.y - chance, chance * (1 - chance)
        gradient = np.concatenate(
            [
                sds[0] * np.bincount(self.raters, residual, n),
                sds[1] * np.bincount(self.items, residual, m),
                self.x.T @ residual,
            ]
        )
        gradient -= self._prior_precisions * mode
        hessian = np.zeros((n + m + p, n + m + p))
        effects = np.arange(n + m)
        hessian[effects, effects] = np.concatenate(
            [
                sds[0] ** 2 * np.bincount(self.raters, weight, n),
                sds[1] ** 2 * np.bincount(self.items, weight, m),
            ]
        )
        cells = np.bincount(self.raters * m + self.items, weight, n * m).reshape(n, m)
        hessian[:n, n : n + m] = sds[0] * sds[1] * cells
        for column in range(p):
            weighted = weight * self.x[:, column]
            hessian[:n, n + m + column] = sds[0] * np.bincount(self.raters, weighted, n)
            hessian[n : n + m, n + m + column] = sds[1] * np.bincount(self.items, weighted, m)
        hessian[n + m :, n + m :] = (self.x * weight[:, None]).T @ self.x
        hessian = np.triu(hessian) + np.triu(hessian, 1).T
        return gradient, hessian + np.diag(self._prior_precisions)


def marginal(eta: np.ndarray | float, sd: float) -> np.ndarray:
    """The chance that a new rater meets on a new item: E logistic(eta + N(0, sd^2))."""
    chances = scipy.special.expit(np.asarray(eta, float)[..., None] + sd * _NODES)
    return chances @ _WEIGHTS / _WEIGHTS.sum()


def conditional(share: float, sd: float) -> float:
    """The inverse of `marginal`: the logit at which the mean over raters and items is a share."""
    return float(scipy.optimize.brentq(lambda eta: float(marginal(eta, sd)) - share, -30, 30))


def fit_preference(responses: Responses) -> Fit:
    """Fits the preference for the target, and the pull of the left side.

    Returns:
        The fit, whose beta holds the target's log odds and by how much it is more on the left.
    """
    x = np.column_stack([np.ones(len(responses)), np.where(responses.left, 1, -1)])
    return fit(x, responses.chosen, responses.raters, responses.items)
