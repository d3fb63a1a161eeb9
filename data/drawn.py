"""Images that are drawn when they are asked for, where all of them would not fit into memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

_NUM_SAMPLED = 256  # images in a fingerprint


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """The storage of a `Dataset` whose rows are drawn on the fly, the same ones always.

    Attributes:
        draw: From row numbers int64 [m] to rows uint8 [m, bytes]. A row depends on its number
            alone, not on its company.
        shape: (n, bytes).
        sources: What the rows are drawn from, if it is not in the code.
    """

    draw: Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, int]
    sources: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """How many bytes all rows would take."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Draws rows: uint8 [m, bytes].

        Raises:
            IndexError: If there is no such row.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        numbers = np.asarray(rows, np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {len(self)}")
        return self.draw(numbers)

    def characteristic_parts(self) -> Iterator[memoryview]:
        """What tells it from others: its sources, and rows spread evenly over all."""
        for source in self.sources:
            yield np.ascontiguousarray(source).data
        count = min(_NUM_SAMPLED, len(self))
        yield np.ascontiguousarray(self[np.linspace(0, len(self) - 1, count).astype(np.int64)]).data


def grid(sizes: tuple[int, ...]) -> np.ndarray:
    """Every combination of class indices, the last factor fastest: int32 [n, k]."""
    return np.ascontiguousarray(np.indices(sizes, np.int32).reshape(len(sizes), -1).T)
