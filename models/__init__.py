"""What is trained: networks, TFP latent distributions, losses. No flags and no files."""

from __future__ import annotations

from typing import Any

from models.settings import BetaVAESettings


def build(settings: BetaVAESettings, image_shape: tuple[int, int, int], seed: int) -> Any:
    """Builds a model with its initial weights.

    A model has `term_names`, `variables()`, `train_step(images, step, seed, num_replicas)`,
    `encode(images)` and `decode(latents)`, as documented in `models.beta_vae.BetaVAE`.

    Args:
        settings: One of the classes of `models.settings`; its type says which model.
        image_shape: (height, width, channels).
        seed: Of the initial weights.
    """
    import numpy as np

    from models.beta_vae import BetaVAE

    return BetaVAE(settings, image_shape, np.random.default_rng([seed, 0]))
