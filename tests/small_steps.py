"""Three training steps of every model on made-up images; prints their losses as JSON.

The tests run it on several instruction sets, in processes of their own.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np

import models
from models.settings import (
    BetaVAESettings,
    FactorPredictorSettings,
    GlowSettings,
    InfoGANSettings,
)
from reproduce import program

SETTINGS = {
    "beta_vae": BetaVAESettings(network="patch", posterior="full_covariance", learning_rate=1e-3),
    "infogan": InfoGANSettings(network="compact", categories=(), num_codes=3, num_noise=2),
    "glow": GlowSettings(num_levels=2, depth=2, width=16, warmup_steps=0, recompute=False),
    "factor_predictor": dataclasses.replace(
        FactorPredictorSettings(), factor_kinds=("ordered",), factor_sizes=(5,)
    ),
}


def main() -> None:
    """Trains and prints."""
    tf = program.start_tensorflow(1)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((32, 16, 16, 1)), tf.float32)
    factors = tf.constant(rng.integers(5, size=(32, 1)), tf.int32)
    losses = {}
    for name, settings in SETTINGS.items():
        model = models.build(settings, (16, 16, 1), 0)
        model.initialise(images, tf.constant([0, 1]))
        extra = {"factors": factors} if name == "factor_predictor" else {}
        step = tf.function(model.train_step, autograph=False)
        losses[name] = [
            float(step(images, tf.constant(i), tf.constant([0, i]), **extra)["loss"])
            for i in range(3)
        ]
    print(json.dumps(losses))


if __name__ == "__main__":
    main()
