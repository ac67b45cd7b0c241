"""The worst of a stream of things, in memory for as many as are shown."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Worst(Generic[Thing]):
    """The `limit` things of the largest weights; of equal ones, those that came first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[float, int, Thing]] = []
        self._added = 0

    def add(self, thing: Thing, weight: float = 0.0) -> None:
        self._added += 1
        entry = (weight, -self._added, thing)  # no two compare things
        if len(self._heap) < self._limit:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def listed(self) -> list[Thing]:
        """The worst first."""
        return [thing for *_, thing in sorted(self._heap, reverse=True)]
