"""The last positions of every vehicle, in a bounded amount of memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BUDGET_POINTS = 2_000_000
"""Positions kept over all vehicles: 16 MB."""
LONGEST, SHORTEST = 240, 8

Line = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class Trails:
    """One ring of positions per slot; the rings get shorter as the fleet grows. Not for several threads."""

    def __init__(self, capacity: int) -> None:
        self._length = _length(capacity)
        self._points = np.empty((capacity, self._length, 2), np.float32)
        self._seen = np.zeros(capacity, np.int64)

    def grow(self, capacity: int) -> None:
        """Make room for more slots; each keeps its newest positions."""
        old, seen, length = self._points, self._seen, _length(capacity)
        self._points = np.empty((capacity, length, 2), np.float32)
        self._seen = np.zeros(capacity, np.int64)
        kept = min(length, self._length)
        for back in range(kept, 0, -1):
            rows = np.flatnonzero(seen >= back)
            self._points[rows, self._seen[rows]] = old[rows, (seen[rows] - back) % old.shape[1]]
            self._seen[rows] += 1
        self._length = length

    def add(self, slots: npt.NDArray[np.int64], x: Any, y: Any) -> None:
        """Add one position to each of some slots, all different; one that has not moved is left out."""
        last = self._points[slots, (self._seen[slots] - 1) % self._length]
        new = np.stack((x, y), axis=-1)
        moved = (self._seen[slots] == 0) | (last != new).any(axis=1)
        rows = slots[moved]
        self._points[rows, self._seen[rows] % self._length] = new[moved]
        self._seen[rows] += 1

    def of(self, slot: int) -> Line:
        """Return the positions of a slot, oldest first."""
        seen = int(self._seen[slot])
        order = np.arange(max(0, seen - self._length), seen) % self._length
        points = self._points[slot, order]
        return points[:, 0], points[:, 1]


def _length(capacity: int) -> int:
    return min(LONGEST, max(SHORTEST, BUDGET_POINTS // capacity))
