"""The steps of the kit, as thin programs, and the pure libraries that they call.

It imports none of them. It sees to it that `data` and `models`, which are the kit's as well, are
found where it lies itself: folders and modules of the user's own often have these names.
"""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[1]
_NEIGHBOURS = ("data", "models")


class _Neighbours:
    """Finds the packages beside this one before whatever else has their names."""

    @staticmethod
    def find_spec(
        name: str, path: object = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name not in _NEIGHBOURS:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [str(_ROOT)])


def _require_own(name: str) -> None:
    """Raises ImportError if another module was imported by the name of one of the kit's."""
    found = sys.modules.get(name)
    places = [Path(place).resolve() for place in getattr(found, "__path__", [])]
    if found is not None and _ROOT / name not in places:
        where = getattr(found, "__file__", None) or ", ".join(map(str, places))
        raise ImportError(
            f"the module {name!r} that was imported before ({where}) has the name of one of the "
            "kit's; import reproduce first, or give yours another name"
        )


for _name in _NEIGHBOURS:
    _require_own(_name)
sys.meta_path.insert(0, _Neighbours)
