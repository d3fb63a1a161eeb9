"""What arms, metrics and attributes are called; it loads nothing large, and so the paper has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from models import registry as models_registry
from models.registry import ARMS
from reproduce.metrics.registry import DECODER_SIDE

NULLS = ("haar", "haar_active")  # N2 and N1, both of which a verdict asks for
PURITY = "traversal_purity"
TURNED = ", factors turned"  # the factor-frame control of an arm
# The words of the question, each with the factors that stand for it: first as the rendered faces
# have them, then as readers of decoded images call them.
WORDS: Mapping[str, tuple[str, ...]] = {
    "azimuth": ("azimuth", "yaw"),
    "smile": ("smile", "mouth_corners"),
    "lighting": ("light_azimuth", "light_elevation", "light_side"),
    "hair": ("hair_colour", "hair_length", "hair"),
    "skin": ("skin_tone", "skin"),
    "background": ("background",),
}


def text(cell: Any) -> str:
    """A cell that may be empty."""
    return "" if cell is None or pd.isna(cell) else str(cell)


def name(arm: str) -> str:
    """An arm as the report writes it."""
    if arm.endswith(TURNED):
        return name(arm.removesuffix(TURNED)) + TURNED
    key, _, rest = arm.partition(" ")
    return (ARMS[key].title if key in ARMS else key) + (f", {rest}" if rest else "")


def title(metric: str, side: str = "") -> str:
    """A metric as the report writes it: mig is MIG, factor_vae is factor VAE.

    Args:
        metric: As result tables name it.
        side: `encoder` or `decoder`, to be told as well; that of a prefix is told in any case.
    """
    if metric.startswith(PURITY):
        block = metric.removeprefix(PURITY).removesuffix("_linear").strip("_")
        limit = ", limit of small steps" if metric.endswith("_linear") else ""
        return "traversal purity" + (f" of {block}" if block else "") + limit
    acronyms = {"mig", "sap", "irs", "dci", "vae"}
    if metric.startswith(DECODER_SIDE):
        metric, side = metric.removeprefix(DECODER_SIDE), "decoder"
    words = " ".join(w.upper() if w in acronyms else w for w in metric.split("_"))
    return f"{words} ({side} side)" if side else words


def primary_metric(arm: str, tested: Collection[str]) -> str:
    """The metric of an arm's primary hypothesis; where it has none MIG, or the first tested."""
    own = models_registry.primary_metric(arm.partition(" ")[0], tested)
    return own or ("mig" if "mig" in tested else next(iter(tested)))


def word_of(factor: str) -> str:
    """The question's word that a factor stands for; empty for others."""
    return next((word for word, factors in WORDS.items() if factor in factors), "")
