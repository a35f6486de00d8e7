"""Where there may be an area at all: most positions lie near none, and need not be asked about further."""

from __future__ import annotations

import numpy as np

from fleetflow.motion.runs import Floats, Integers

CELLS = 1024


class Grid:
    """The bounds of all boxes, cut into 1024 times 1024 cells; a cell is marked if a box reaches into it."""

    def __init__(self, boxes: Floats) -> None:
        """`boxes` has one row per box: west, south, east, north, in degrees."""
        self._marked = np.zeros((CELLS, CELLS), np.bool_)
        # without boxes the bounds are empty, and nothing is near
        self._west, self._south = boxes[:, :2].min(axis=0, initial=np.inf).tolist()
        self._east, self._north = boxes[:, 2:].max(axis=0, initial=-np.inf).tolist()
        self._per_degree = [
            CELLS / max(self._east - self._west, 1e-9),
            CELLS / max(self._north - self._south, 1e-9),
        ]
        columns = self._cells(boxes[:, 0::2], self._west, self._per_degree[0])
        rows = self._cells(boxes[:, 1::2], self._south, self._per_degree[1])
        for (first, last), (low, high) in zip(columns.tolist(), rows.tolist(), strict=True):
            self._marked[low : high + 1, first : last + 1] = True

    @staticmethod
    def _cells(degrees: Floats, begin: float, per_degree: float) -> Integers:
        # the same for a box's edge and for a position on it, so that rounding cannot part them
        cells: Integers = ((degrees - begin) * per_degree).astype(np.int64)
        return np.minimum(cells, CELLS - 1, out=cells)

    def near(self, latitude: Floats, longitude: Floats) -> Integers:
        """Return the numbers of the positions that may lie in a box: of those that do, all."""
        within = (
            (longitude >= self._west)
            & (longitude <= self._east)
            & (latitude >= self._south)
            & (latitude <= self._north)
        )
        at = np.flatnonzero(within)
        column = self._cells(longitude[at], self._west, self._per_degree[0])
        row = self._cells(latitude[at], self._south, self._per_degree[1])
        return at[self._marked[row, column]]
