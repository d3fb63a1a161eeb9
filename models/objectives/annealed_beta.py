"""A beta-VAE whose beta falls or rises geometrically from `beta_start` over `ramp_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.objectives import base

if TYPE_CHECKING:
    import tensorflow as tf


class Objective(base.Objective):
    """Reconstruction + beta(step) KL."""

    term_names = ("beta",)

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and the beta in force."""
        beta = base.annealed_beta(self.settings, batch.step)
        return batch.reconstruction + beta * batch.kl, {"beta": beta}
