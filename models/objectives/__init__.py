"""The VAE's objectives, a file each: its settings, its loss, and whatever it trains besides.

Adding one takes its file, with a class `Objective` as `models.objectives.base` describes it, and
its name here. If it needs settings that others lack, its file has a class `Settings` as well:
frozen, and derived from `models.settings.BetaVAESettings`. Files import TensorFlow only where they
compute, so that settings are known without it.

With a `TITLE`, results tell it apart as arms of its own, one for each posterior; `HAS_POSTERIOR =
False` says that it has none, and so one arm. Without, its results are those of a beta-VAE.
"""

from __future__ import annotations

import importlib
from typing import Any

OBJECTIVES = (
    "beta",
    "annealed_beta",
    "capacity",
    "autoencoder",
    "beta_tcvae",
    "dip_vae_i",
    "dip_vae_ii",
    "info_vae",
    "factor_vae",
    "qlae",
)


def load(name: str) -> Any:
    """The module of an objective, one of `OBJECTIVES`."""
    return importlib.import_module(f"models.objectives.{name}")


def title_of(name: str) -> str:
    """What readers call an objective whose results are told apart; empty for others."""
    return getattr(load(name), "TITLE", "")


def terms(name: str) -> tuple[tuple[str, str], ...]:
    """What an objective logs: columns of training.csv, each with its label for the report."""
    objective = load(name).Objective
    labels = objective.term_labels
    return tuple((term, labels.get(term, term.replace("_", " "))) for term in objective.term_names)


def has_posterior(name: str) -> bool:
    """Whether latents are drawn from a posterior, so that its covariance matters."""
    return getattr(load(name), "HAS_POSTERIOR", True)
