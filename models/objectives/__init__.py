"""The VAE's objectives, a file each: its settings, its loss, and whatever it trains besides.

Adding one takes its file, with a class `Objective` as `models.objectives.base` describes it, and
its name here. If it needs settings that others lack, its file has a class `Settings` as well:
frozen, and derived from `models.settings.BetaVAESettings`. Files import TensorFlow only where they
compute, so that settings are known without it.
"""

from __future__ import annotations

import importlib
from typing import Any

OBJECTIVES = (
    "beta",
    "annealed_beta",
    "capacity",
    "autoencoder",
)


def load(name: str) -> Any:
    """The module of an objective, one of `OBJECTIVES`."""
    return importlib.import_module(f"models.objectives.{name}")
