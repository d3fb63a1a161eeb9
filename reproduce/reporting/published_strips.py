"""Strips large enough to be looked at: learned axes beside random directions at equal energy."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from data.files import load_npz
from reproduce.basis import representation
from reproduce.basis.representation import Representation
from reproduce.metrics.information import entropies, mutual_information
from reproduce.reporting import result_tables, style
from reproduce.training.run_directory import RunDirectory

_FACE = 72  # pixels a side, on the page
_LABEL = 170
_GAP = 8
DPI = 100
_NAMED = 2  # factors beside a strip


def draw(run: RunDirectory, title: str) -> Figure:
    """All learned axes on the left, those of one random basis on the right, none picked.

    Beside each strip is what its coordinate tells most about, in per cent of the factor's entropy.

    Args:
        run: With its representation and traversals.
        title: Above it.

    Raises:
        InputError: If a file is missing or damaged.
    """
    encoded = representation.load(run.representation_file, run.fingerprint())
    arrays = load_npz(run.traversals_file, ["learned/frames", "learned/directions"])
    steps = result_tables.read(run.traversal_steps_file, ["basis", "axis", "step", "dead"])
    blocks = [name for name in ("learned", "random_0") if f"{name}/frames" in arrays]
    num_rows = max(len(arrays[f"{name}/frames"]) for name in blocks)
    num_frames = arrays["learned/frames"].shape[1]
    width = len(blocks) * (_LABEL + num_frames * _FACE + 2 * _GAP)
    height = num_rows * (_FACE + _GAP) + 60
    with plt.rc_context(style.BASE | {"figure.constrained_layout.use": False}):
        figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        figure.text(0.005, 1 - 8 / height, title, va="top", fontsize=11, weight="bold")
        for block, name in enumerate(blocks):
            left = block * width / len(blocks)
            heading = "learned axes" if name == "learned" else "axes of a random basis"
            colour = style.LEARNED if name == "learned" else "black"
            x = (left + 6) / width
            figure.text(x, 1 - 40 / height, heading, color=colour, weight="bold", va="center")
            told = _told(encoded, arrays[f"{name}/directions"], name == "learned")
            rows = steps[steps["basis"] == name].set_index("axis")
            for axis, frames in enumerate(arrays[f"{name}/frames"]):
                bottom = height - 60 - (axis + 1) * (_FACE + _GAP) + _GAP
                dead = bool(rows.loc[axis, "dead"])
                noun = "latent" if name == "learned" else "direction"
                lines = [f"{noun} {axis}{' (dead)' if dead else ''}", *told[axis]]
                y = (bottom + _FACE / 2) / height
                figure.text(x, y, "\n".join(lines), va="center", fontsize=8)
                place = (
                    (left + _LABEL) / width,
                    bottom / height,
                    num_frames * _FACE / width,
                    _FACE / height,
                )
                panel = figure.add_axes(place)
                strip = style.side_by_side(frames)
                panel.imshow(strip, cmap="gray", vmin=0, vmax=255, alpha=0.35 if dead else 1)
                panel.set_aspect("auto")
                panel.set_axis_off()
    return figure


def _told(encoded: Representation, directions: np.ndarray, learned: bool) -> list[list[str]]:
    """The factors that each direction's coordinate tells most about, in words.

    A random direction's coordinate is read out in the frame in which it was drawn: of the active
    latents, standardised.
    """
    if learned:
        coordinates = encoded.latents
    else:
        active = encoded.active()
        spread = encoded.latents[:, active].std(axis=0)
        axes = directions[:, active] / spread
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        coordinates = encoded.latents[:, active] / spread @ axes.T
    shares = mutual_information(coordinates, encoded.factors) / entropies(encoded.factors)
    found = []
    for row in shares:
        best = np.argsort(-row, kind="stable")[:_NAMED]
        found.append([f"{encoded.factor_names[j]} {100 * row[j]:.0f}%" for j in best])
    return found
