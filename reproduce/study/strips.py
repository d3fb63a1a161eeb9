"""Traversal strips as files that give nothing away but what they show."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from data.files import atomic_write

FRAME_SIDE = 128  # pixels, the longer side of a picture; smaller ones are enlarged
BORDER = 2  # pixels of grey around each, so that dark frames side by side are told apart
FRAME_MILLISECONDS = 120
STILL, ANIMATED = "png", "webp"
# WebP without loss, for a GIF's 256 colours would show colour pictures wrongly.
_GREY = 128
_MADE = 946_684_800  # 2000-01-01, of every file


def as_frames(images: np.ndarray) -> np.ndarray:
    """Pictures as raters see them: enlarged, in colour, with a border.

    Args:
        images: float [f, h, w, 1 or 3] in [0, 1].

    Returns:
        uint8 [f, height, width, 3].
    """
    levels = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    if levels.shape[-1] == 1:
        levels = np.repeat(levels, 3, axis=-1)
    height, width = levels.shape[1:3]
    scale = FRAME_SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    enlarged = [
        np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
        for frame in levels
    ]
    edges = ((0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0))
    return np.pad(np.stack(enlarged), edges, constant_values=_GREY)


def still(frames: np.ndarray) -> bytes:
    """Frames side by side as a PNG's content."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def animated(frames: np.ndarray) -> bytes:
    """Frames there and back, for ever, as a lossless WebP's content."""
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    first, *others = (Image.fromarray(frames[index]) for index in order)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=FRAME_MILLISECONDS,
        loop=0,
        lossless=True,
        method=2,
    )
    return buffer.getvalue()


def write(folder: Path, strips: Mapping[str, np.ndarray]) -> None:
    """Writes every strip, still and animated, all of a kind of the same number of bytes.

    Args:
        folder: Where to.
        strips: By name: frames as `as_frames` gives them.
    """
    for suffix, encode in ((STILL, still), (ANIMATED, animated)):
        contents = {name: encode(frames) for name, frames in strips.items()}
        length = max(map(len, contents.values()))
        for name in sorted(contents):
            file = folder / f"{name}.{suffix}"
            with atomic_write(file) as handle:
                # Behind the end of a picture decoders read no further.
                handle.write(contents[name].ljust(length, b"\0"))
            os.utime(file, (_MADE, _MADE))
