"""The reconstruction alone, of the posterior's mean, without noise: a control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.objectives import base

if TYPE_CHECKING:
    import tensorflow as tf


class Objective(base.Objective):
    """Reconstruction; the KL is logged, and weighs nothing."""

    term_names = ("beta",)

    def latents(self, posterior: Any, seed: tf.Tensor) -> tf.Tensor:
        """The posterior's mean."""
        del seed
        return posterior.mean()

    def loss(self, batch: base.Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, and a beta of 0."""
        import tensorflow as tf

        beta = tf.constant(0.0)
        return batch.reconstruction + beta * batch.kl, {"beta": beta}
