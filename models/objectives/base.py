"""What every objective of the VAE has, and what it sees of a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data.files import InputError
from models.settings import BetaVAESettings

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """A batch as it passes through the VAE.

    Attributes:
        images: float32 [batch, height, width, channels] in [0, 1].
        posterior: q(z | x), a TFP distribution over [num_latents].
        latents: float32 [batch, num_latents], what the decoder was given.
        reconstruction: Scalar, mean over images of -log p(x | z), nats.
        kl: Scalar, mean over images of KL(q(z | x) || p(z)), nats.
        step: Scalar int, training steps already made.
        seed: int32 [2], the seed of whatever else is drawn for this batch.
    """

    images: tf.Tensor
    posterior: Any
    latents: tf.Tensor
    reconstruction: tf.Tensor
    kl: tf.Tensor
    step: tf.Tensor
    seed: tf.Tensor


class Objective:
    """The loss of a VAE, with any networks of its own.

    Attributes:
        term_names: What `loss` logs, in order; loss, reconstruction and KL are logged anyway.
        term_labels: What the report calls a term, where its name does not say its unit.
        settings: The model's.
        weight_decay: The decoupled decay of encoder's and decoder's kernels (Loshchilov & Hutter
            2019); None: there is none.
    """

    term_names: tuple[str, ...] = ()
    term_labels: ClassVar[Mapping[str, str]] = {}
    weight_decay: float | None = None

    def __init__(self, settings: BetaVAESettings, rng: np.random.Generator) -> None:
        """Builds networks of its own, if any; `rng` draws their initial weights."""
        del rng
        self.settings: Any = settings  # of the objective's own class, where it has one

    def latents(self, posterior: Any, seed: tf.Tensor) -> tf.Tensor:
        """What the decoder is given: a draw from the posterior, float32 [batch, num_latents]."""
        return posterior.sample(seed=seed)

    def loss(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The scalar that encoder and decoder minimise, in nats an image, and the logged terms."""
        raise NotImplementedError

    def encode(self, posterior: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """The representation, [batch, num_latents], and the log of its variances or None."""
        import tensorflow as tf

        return posterior.mean(), tf.math.log(posterior.variance())

    def draw(self, num: int, seed: tf.Tensor) -> tf.Tensor:
        """What the decoder is given of the prior, N(0, I): float32 [num, num_latents]."""
        import tensorflow as tf
        import tensorflow_probability as tfp

        d = self.settings.num_latents
        prior = tfp.distributions.MultivariateNormalDiag(tf.zeros(d), tf.ones(d))
        return prior.sample(num, seed=seed)

    def update(self, batch: Batch, num_replicas: int) -> None:
        """Trains the networks of its own, after each step of encoder and decoder."""

    def variables(self) -> dict[str, Any]:
        """All state of its own that training changes, by name."""
        return {}


class Penalised(Objective):
    """Reconstruction + beta(step) KL + what the objective adds to a beta-VAE's loss.

    Where beta is ramped up the addition is as well: the ratio of the two stays as published.
    """

    term_names = ("beta", "penalty")
    term_labels: ClassVar[Mapping[str, str]] = {"penalty": "penalty of the objective, nats"}

    def penalty(self, batch: Batch) -> tf.Tensor:
        """What is added once beta is at its end, with its weights, in nats an image."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss, the beta in force, and what is added."""
        beta = annealed_beta(self.settings, batch.step)
        penalty = beta / self.settings.beta * self.penalty(batch)
        return batch.reconstruction + beta * batch.kl + penalty, {"beta": beta, "penalty": penalty}


def require_weights(settings: BetaVAESettings, *names: str) -> None:
    """Raises an InputError if a setting is below 0, or is no number."""
    for name in names:
        value = getattr(settings, name)
        if not value >= 0:
            raise InputError(f"{name} is {value}; expected at least 0")


def annealed_beta(settings: BetaVAESettings, step: tf.Tensor) -> tf.Tensor:
    """The weight of the KL: geometrically from `beta_start` to `beta` over `ramp_steps`."""
    progress = ramp(step, settings.ramp_steps)
    return settings.beta_start * (settings.beta / settings.beta_start) ** progress


def ramp(step: tf.Tensor, num_steps: int) -> tf.Tensor:
    """The share of a ramp's steps that are made already: 0 to 1."""
    import tensorflow as tf

    return tf.minimum(tf.cast(step, tf.float32) / max(num_steps, 1), 1.0)
