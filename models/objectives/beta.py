"""beta-VAE (Higgins et al. 2017, eq. 4): reconstruction + beta KL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.objectives import base

if TYPE_CHECKING:
    import tensorflow as tf


class Objective(base.Objective):
    """Reconstruction + beta KL."""

    term_names = ("beta",)

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and beta."""
        import tensorflow as tf

        beta = tf.constant(self.settings.beta)
        return batch.reconstruction + beta * batch.kl, {"beta": beta}
