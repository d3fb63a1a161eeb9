"""When chains of programs will have ended, judged by those that ran and by how far others are."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Sequence

_ENOUGH = 0.1  # the share from which it tells how long the whole takes, its start included


class Forecast:
    """What is known of how long chains take; those of one kind take equally long.

    A kind of which none has ended is as long as one of it that runs seems to become, and one of
    which nothing is known as the others are on average.
    """

    def __init__(self) -> None:
        self._ended: dict[str, list[float]] = {}

    def end(self, kind: str, seconds: float) -> None:
        """Takes down how long one took."""
        self._ended.setdefault(kind, []).append(seconds)

    def remaining(
        self, running: Sequence[tuple[str, float, float]], waiting: Sequence[str], room: int
    ) -> float | None:
        """Seconds until all have ended.

        Args:
            running: Kind, seconds so far, and share done of each that runs.
            waiting: The kinds of those that do not run yet, in their order.
            room: How many run at once.

        Returns:
            None if nothing is known yet.
        """
        lengths = {kind: statistics.fmean(seconds) for kind, seconds in self._ended.items()}
        seen = {kind: so_far / done for kind, so_far, done in running if done >= _ENOUGH}
        lengths = seen | lengths
        if not lengths:
            return None
        usual = statistics.fmean(lengths.values())
        ends = [
            so_far / done - so_far
            if done >= _ENOUGH
            else max(0.0, lengths.get(kind, usual) - so_far)
            for kind, so_far, done in running
        ]
        ends += [0.0] * (room - len(ends))
        heapq.heapify(ends)
        for kind in waiting:
            heapq.heappush(ends, heapq.heappop(ends) + lengths.get(kind, usual))
        return max(ends)
