"""One visual language for the report and the paper.

Colours are Okabe and Ito's, told apart by colour-blind readers and in grey: orange for the learned
basis, grey for random bases, blue for references.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LEARNED = "#D55E00"
RANDOM = "#9AA5B1"
REFERENCE = "#0072B2"
ARM_COLOURS = ("#1D2430", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
SEED_STYLES = ("-", "--", ":", "-.")

BASE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "axisbias",
}


def side_by_side(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 [f, h, w, c] as one image [h, f w + gaps, c or none] with white gaps."""
    gap = np.full((frames.shape[1], 2, frames.shape[3]), 255, np.uint8)
    pieces = [piece for frame in frames for piece in (frame, gap)][:-1]
    strip = np.concatenate(pieces, axis=1)
    return strip[..., 0] if strip.shape[-1] == 1 else strip
