"""Learning rates that change while a model is trained."""

from __future__ import annotations

import keras
import tensorflow as tf

from models.settings import Scheduled


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly at first, stays, and falls linearly to 0 at last."""

    def __init__(
        self, learning_rate: float, warmup_steps: int, decay_share: float, num_steps: int
    ) -> None:
        """Takes the rate in between, and when it is reached and left.

        Args:
            learning_rate: The rate in between.
            warmup_steps: Steps over which it rises.
            decay_share: The last share of the training, over which it falls; 0: it stays.
            num_steps: Steps of the training; matters only if the rate falls.
        """
        self._learning_rate = learning_rate
        self._warmup_steps = warmup_steps
        self._decay_steps = decay_share * num_steps
        self._num_steps = num_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        share = tf.minimum((step + 1) / max(self._warmup_steps, 1), 1.0)
        if self._decay_steps:
            left = (self._num_steps - step) / self._decay_steps
            share = tf.minimum(share, tf.clip_by_value(left, 0.0, 1.0))
        return self._learning_rate * share


def rate_of(learning_rate: float, settings: Scheduled) -> float | WarmUpAndDecay:
    """The rate itself if the settings never change it, else its schedule."""
    if not settings.warmup_steps and not settings.decay_share:
        return learning_rate
    return schedule_of(learning_rate, settings)


def schedule_of(learning_rate: float, settings: Scheduled) -> WarmUpAndDecay:
    """The rate's schedule, though it may never change."""
    return WarmUpAndDecay(
        learning_rate, settings.warmup_steps, settings.decay_share, settings.training_steps
    )
