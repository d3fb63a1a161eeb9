"""What InfoGAN's generator is given, and how much of it Q reads back from the images.

The input [batch, size] holds continuous codes, one-hot categories and incompressible noise, in this
order. Bases are rotated where every coordinate is N(0, 1): a uniform code c is g with
c = 2 Phi(g) - 1, so that no rotation of g takes a code out of the cube it was trained on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from models.settings import InfoGANSettings

tfd = tfp.distributions

# Q's means can leave the cube, where no g is: they are clipped to so many prior deviations.
MAX_DEVIATIONS = 3.0


def uniform_from_gaussian(g: tf.Tensor) -> tf.Tensor:
    """2 Phi(g) - 1, which is U(-1, 1) where g is N(0, 1)."""
    return tf.math.erf(g / math.sqrt(2))


def gaussian_from_uniform(c: tf.Tensor) -> tf.Tensor:
    """The inverse, Phi^-1((c + 1) / 2), of c clipped to where it is within +-MAX_DEVIATIONS."""
    largest = math.erf(MAX_DEVIATIONS / math.sqrt(2))
    return math.sqrt(2) * tf.math.erfinv(tf.clip_by_value(c, -largest, largest))


class Codes:
    """The parts of the input as distributions, and Q's distribution of the codes.

    Attributes:
        continuous: The prior over [num_codes]: U(-1, 1) or N(0, 1) each.
        categories: The priors of the one-hot categories, all classes equally likely.
        noise: The prior over [num_noise].
        num_parameters: How many numbers Q gives of an image.
        entropy: H(c), nats, categories included; differential for continuous codes.
        information_limit: The largest L_I there can be, nats. Of a uniform code that Q knows
            exactly, with deviation s, it is log 2 - log(sqrt(2 pi) s): at the fixed s = 1, -.226,
            where not knowing it at all gives -.392; of a Gaussian code .5 and 0. So the fixed
            deviation leaves L_I below H(c), and what it can gain is 1/6 (1/2) nat a code.
    """

    def __init__(self, settings: InfoGANSettings) -> None:
        self._settings = settings
        self.continuous = _prior(settings.codes, settings.num_codes)
        self.categories = [
            tfd.OneHotCategorical(tf.zeros(n), dtype=tf.float32) for n in settings.categories
        ]
        self.noise = _prior(settings.noise, settings.num_noise)
        learned = settings.q_deviation == "learned"
        self._widths = [settings.num_codes, settings.num_codes * learned, *settings.categories]
        self.num_parameters = sum(self._widths)
        priors = [self.continuous, *self.categories]
        self.entropy = sum(float(prior.entropy()) for prior in priors)
        smallest = settings.min_deviation if learned else 1.0
        log_density = -math.log(math.sqrt(2 * math.pi) * smallest)
        self.information_limit = self.entropy + settings.num_codes * log_density

    @property
    def size(self) -> int:
        """The width of the whole input."""
        return sum(self._sizes())

    @property
    def uniform(self) -> np.ndarray:
        """Whether each number of the input is uniform: bool [size]."""
        kinds = (self._settings.codes, *("one-hot" for _ in self.categories), self._settings.noise)
        return np.repeat([kind == "uniform" for kind in kinds], self._sizes())

    def _sizes(self) -> list[int]:
        settings = self._settings
        return [settings.num_codes, *settings.categories, settings.num_noise]

    def draw(self, num: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Inputs drawn from the priors: float32 [num, size]."""
        priors = [self.continuous, *self.categories, self.noise]
        seeds = tf.unstack(tf.random.split(seed, len(priors)))
        parts = [prior.sample(num, seed=s) for prior, s in zip(priors, seeds, strict=True)]
        return tf.concat(parts, -1)

    def draw_gaussian(self, num: int, seed: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
        """The same as coordinates N(0, temperature^2); one-hot categories stay what they are."""
        codes, *categories, noise = tf.split(self.draw(num, seed), self._sizes(), -1)
        seeds = tf.unstack(tf.random.split(tf.random.fold_in(seed, 1), 2))
        codes, noise = (
            temperature * tf.random.stateless_normal(tf.shape(part), s)
            for part, s in zip((codes, noise), seeds, strict=True)
        )
        return tf.concat([codes, *categories, noise], -1)

    def from_gaussian(self, inputs: tf.Tensor) -> tf.Tensor:
        """G's inputs from Gaussianised ones, [batch, size] both."""
        codes, *categories, noise = tf.split(inputs, self._sizes(), -1)
        if self._settings.codes == "uniform":
            codes = uniform_from_gaussian(codes)
        if self._settings.noise == "uniform":
            noise = uniform_from_gaussian(noise)
        return tf.concat([codes, *categories, noise], -1)

    def start(self, parameters: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Gaussianised inputs that stand for images.

        Args:
            parameters: float32 [batch, num_parameters], of Q.
            seed: int32 [2], of the noise, about which images say nothing.

        Returns:
            float32 [batch, size]: Q's mean codes, its likeliest categories, and the noise.
        """
        posterior, *categories = self.posterior(parameters)
        codes = posterior.mean()
        if self._settings.codes == "uniform":
            codes = gaussian_from_uniform(codes)
        likeliest = [category.mode() for category in categories]
        noise_shape = [tf.shape(parameters)[0], self._settings.num_noise]
        noise = tf.random.stateless_normal(noise_shape, seed)
        return tf.concat([codes, *(tf.cast(c, tf.float32) for c in likeliest), noise], -1)

    def posterior(self, parameters: tf.Tensor) -> list[Any]:
        """Q(c | x): one distribution over [num_codes], and one for each category.

        A learned deviation is min_deviation + softplus(v).
        """
        mean, v, *logits = tf.split(parameters, self._widths, -1)
        deviation = tf.ones_like(mean)
        if self._settings.q_deviation == "learned":
            deviation = self._settings.min_deviation + tf.math.softplus(v)
        codes = tfd.Independent(tfd.Normal(mean, deviation), 1)
        return [codes, *(tfd.OneHotCategorical(each, dtype=tf.float32) for each in logits)]

    def information(self, inputs: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """L_I = E log Q(c | x) + H(c) (Chen et al. 2016, eq. 5), nats.

        Args:
            inputs: float32 [batch, size], from which images were generated.
            parameters: float32 [batch, num_parameters], Q's of these images.

        Returns:
            The batch's mean, a lower bound of the mutual information I(c; x) in expectation.
        """
        parts = tf.split(inputs, self._sizes(), -1)[:-1]
        posterior = self.posterior(parameters)
        log_q = sum(q.log_prob(part) for q, part in zip(posterior, parts, strict=True))
        return tf.reduce_mean(log_q) + self.entropy

    def fitted_information(self, inputs: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """L_I with the best constant deviation of each code: a bound that H(c) does not cap.

        Of a code with mean squared error m it is H(c) - log(2 pi e m) / 2. The best deviation is
        that of the batch, which makes it too large by about 1 / batch nat a code.
        """
        codes, *parts, _ = tf.split(inputs, self._sizes(), -1)
        posterior, *categories = self.posterior(parameters)
        error = tf.reduce_mean(tf.square(codes - posterior.mean()), 0)
        log_q = -tf.reduce_sum(tf.math.log(2 * math.pi * math.e * error + 1e-12)) / 2
        for q, part in zip(categories, parts, strict=True):
            log_q += tf.reduce_mean(q.log_prob(part))
        return log_q + self.entropy

    def correlation(self, inputs: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """|correlation| of each continuous code with Q's mean over the batch: [num_codes]."""
        codes, means = (x[:, : self._settings.num_codes] for x in (inputs, parameters))
        codes, means = (x - tf.reduce_mean(x, 0) for x in (codes, means))
        norms = tf.norm(codes, axis=0) * tf.norm(means, axis=0)
        return tf.abs(tf.math.divide_no_nan(tf.reduce_sum(codes * means, 0), norms))


def _prior(kind: str, size: int) -> Any:
    zeros, ones = tf.zeros(size), tf.ones(size)
    each = tfd.Uniform(-ones, ones) if kind == "uniform" else tfd.Normal(zeros, ones)
    return tfd.Independent(each, 1)
