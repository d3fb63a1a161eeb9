"""Settings that a paper published, held against the recipe that has one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from data.files import InputError
from reproduce.training.recipes import RECIPES, Recipe

_KEYS = ("recipe", "fixed", "grid")


@dataclasses.dataclass(frozen=True)
class PublishedSettings:
    """A grid of settings, in the names that recipes have for them.

    Attributes:
        recipe: A key of `RECIPES`.
        fixed: What all points of the grid share.
        grid: What varies; values at the same place belong together.
    """

    recipe: str
    fixed: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]

    def points(self) -> list[dict[str, Any]]:
        """Every point of the grid."""
        columns = zip(*self.grid.values(), strict=True)
        return [dict(zip(self.grid, values, strict=True)) for values in columns]

    def departures(self, recipe: Recipe) -> list[str]:
        """What of a recipe is not as published; empty if it is a point of the grid."""
        own = {**vars(recipe), **vars(recipe.settings)}
        told = [
            f"{name} is {own.get(name)!r}; published is {value!r}"
            for name, value in self.fixed.items()
            if not _are_equal(own.get(name), value)
        ]
        point = {name: own.get(name) for name in self.grid}
        if point not in self.points():
            told.append(f"{point} is no point of the grid {dict(self.grid)}")
        return told


def _are_equal(own: Any, published: Any) -> bool:
    return bool((list(own) if isinstance(own, tuple) else own) == published)  # TOML has no tuples


def parse(table: Any, name: str) -> PublishedSettings:
    """Published settings from their table in the ledger.

    Args:
        table: As TOML gives it.
        name: The claim's, for errors.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(table, dict) or set(table) != set(_KEYS):
        raise InputError(f"{name}: expected settings with the keys {', '.join(_KEYS)}")
    if table["recipe"] not in RECIPES:
        raise InputError(f"{name}: unknown recipe {table['recipe']!r}; see docs/training.md")
    grid = table["grid"]
    is_grid = isinstance(grid, dict) and grid and all(isinstance(v, list) for v in grid.values())
    if not is_grid or len({len(values) for values in grid.values()}) > 1:
        raise InputError(f"{name}: grid is {grid!r}; expected lists of one length")
    if not isinstance(table["fixed"], dict):
        raise InputError(f"{name}: fixed is {table['fixed']!r}; expected a table")
    return PublishedSettings(**table)
