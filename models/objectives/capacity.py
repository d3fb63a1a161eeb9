"""Controlled capacity (Burgess et al. 2018, eq. 8): reconstruction + gamma |KL - C|.

C rises from 0 to `capacity` nats over `ramp_steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.objectives import base

if TYPE_CHECKING:
    import tensorflow as tf


class Objective(base.Objective):
    """Reconstruction + gamma |KL - C(step)|."""

    term_names = ("capacity",)

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and the capacity in force."""
        import tensorflow as tf

        settings = self.settings
        capacity = settings.capacity * base.ramp(batch.step, settings.ramp_steps)
        distance = tf.abs(batch.kl - capacity)
        return batch.reconstruction + settings.gamma * distance, {"capacity": capacity}
