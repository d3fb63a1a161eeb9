"""Controlled capacity (Burgess et al. 2018, eq. 8): reconstruction + gamma |KL - C|.

C rises from 0 to `capacity` nats over `ramp_steps`. disentanglement_lib calls it AnnealedVAE, and
its c_max, gamma and iteration_threshold are `capacity`, `gamma` and `ramp_steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from models.objectives import base

if TYPE_CHECKING:
    import tensorflow as tf

TITLE = "AnnealedVAE"


class Objective(base.Objective):
    """Reconstruction + gamma |KL - C(step)|."""

    term_names = ("capacity",)
    term_labels: ClassVar[Mapping[str, str]] = {"capacity": "capacity, nats"}

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and the capacity in force."""
        import tensorflow as tf

        settings = self.settings
        capacity = settings.capacity * base.ramp(batch.step, settings.ramp_steps)
        distance = tf.abs(batch.kl - capacity)
        return batch.reconstruction + settings.gamma * distance, {"capacity": capacity}
