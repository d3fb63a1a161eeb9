"""A user's decoder: a function of latents that the kit did not train, looked at as it is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.checked import plain
from data.files import InputError


def load(name: str) -> Callable[[Any], Any]:
    """The function that `module:function` names, of a module here or installed.

    Raises:
        InputError: If there is none, or its module cannot be imported.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise InputError(f"--decoder={name}; expected module:function")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (Exception, SystemExit) as error:  # whatever a user's module can raise
        raise InputError(f"--decoder={name}: {error}; expected module:function") from error


def checked(
    decode: Callable[[Any], Any], shape: tuple[int, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """A user's decoder, whose images are looked at before they are used.

    Args:
        decode: Latents float64 [n, d], which it may write into, to images [n, *shape] in [0, 1]:
            an array, or a tensor on the CPU.
        shape: (height, width, channels).

    Returns:
        The same, of images float32. It raises an InputError where they are no such images.
    """

    def decode_and_check(latents: np.ndarray) -> np.ndarray:
        try:
            given = decode(latents.copy())
        except (Exception, SystemExit) as error:  # whatever a user's function can raise
            raise InputError(
                f"the decoder failed on latents {list(latents.shape)}: {error}"
            ) from error
        images = plain("the decoder", "its images", given)
        if images.dtype.kind not in "biuf" or images.shape != (len(latents), *shape):
            raise InputError(
                f"the decoder gives images {images.dtype} {list(images.shape)} for latents "
                f"{list(latents.shape)}; expected float {[len(latents), *shape]}, as the predictor "
                "takes"
            )
        if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
            raise InputError("the decoder's images leave [0, 1]; expected finite values within it")
        return images.astype(np.float32)

    return decode_and_check
