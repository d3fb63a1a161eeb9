"""numba, with a place for what it compiles.

numba keeps compiled functions beside their module, or in the user's cache folder, and fails where
neither can be written, as in a container that is run by a number without a name. Modules import it
from here.
"""

from __future__ import annotations

import os
from pathlib import Path

from data.files import is_writable, temporary_cache, user_caches


def _find_place() -> None:
    """Names another folder where numba would find none; one that is named already is left."""
    beside = Path(__file__).parent / "__pycache__"
    own = user_caches()
    is_known = not str(own).startswith("~")  # a user without a home has none
    if "NUMBA_CACHE_DIR" in os.environ or is_writable(beside):
        return
    if not (is_known and is_writable(own)):
        folder = temporary_cache("neither the kit's folder nor a cache folder can be written")
        os.environ["NUMBA_CACHE_DIR"] = str(folder / "numba")


_find_place()

import numba  # noqa: E402  once it has a place

# Whatever NUMBA_THREADING_LAYER asks for may not be installed, as TBB; no value depends on it.
numba.config.THREADING_LAYER = "default"

__all__ = ["numba"]
