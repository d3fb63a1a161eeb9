"""One visual language for the report and the paper.

Colours are Okabe and Ito's, told apart by colour-blind readers and in grey: orange for the learned
basis, grey for random bases, blue for references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def heat_map(axis: Axes, shares: np.ndarray, numbers: float | None = 7) -> None:
    """Draws shares, float [rows, columns] in [0, 1] or NaN for none, coloured by their square root.

    Many small shares are told apart, which a linear scale would show as one dark field.

    Args:
        axis: Where.
        shares: What is drawn.
        numbers: Font size of the per cents in cells of at least 10%; None for none.
    """
    from matplotlib.colors import PowerNorm

    axis.imshow(shares, cmap="cividis", norm=PowerNorm(0.5, 0, 1), aspect="auto")
    if numbers is None:
        return
    for (i, j), share in np.ndenumerate(shares):
        if share >= 0.095:
            colour = "black" if share > 0.3 else "white"
            text = f"{100 * share:.0f}"
            axis.text(j, i, text, ha="center", va="center", color=colour, fontsize=numbers)


def side_by_side(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 [f, h, w, c] as one image [h, f w + gaps, c or none] with white gaps."""
    gap = np.full((frames.shape[1], 2, frames.shape[3]), 255, np.uint8)
    pieces = [piece for frame in frames for piece in (frame, gap)][:-1]
    strip = np.concatenate(pieces, axis=1)
    return strip[..., 0] if strip.shape[-1] == 1 else strip
