"""Which boxes a position may lie in, by a glance at a grid: most positions lie near none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleetflow.motion.runs import Floats, Integers, spread
from fleetflow.native import motion as native

Cells = npt.NDArray[np.int32]
CELLS = 1024
WIDTH = CELLS + 2
"""The grid has a rim of cells for what is outside of the bounds, or at their end."""
MOST = 8
"""Where more boxes than this reach into one cell, they are left to who has a better index."""
MOST_SETS = 1 << 16
"""When there are more sets than this, cells that would need another one are crowded, too."""
CROWDED = 1
"""The set of too many boxes to list; before it, at 0, is that of none."""


class Grid:
    """The bounds of all boxes, cut into 1024 times 1024 cells, each with the set of boxes that reach into it.

    Cells with the same boxes share one set, so that it takes 4 MB and some more for at most 65,536 sets,
    however many the boxes are and however wide.
    """

    def __init__(self, boxes: Floats) -> None:
        """`boxes` has one row per box: west, south, east, north, in degrees."""
        self._set = np.zeros((WIDTH, WIDTH), np.int32)
        members: list[tuple[int, ...]] = [()] * (CROWDED + 1)
        # without boxes nothing is near, whatever the bounds are
        west, south = boxes[:, :2].min(axis=0, initial=180.0).tolist()
        east, north = boxes[:, 2:].max(axis=0, initial=-180.0).tolist()
        self._columns = _Axis(west, east)
        self._rows = _Axis(south, north)
        columns = self._columns.cells(boxes[:, 0::2].ravel()).reshape(-1, 2)
        rows = self._rows.cells(boxes[:, 1::2].ravel()).reshape(-1, 2)
        for box, ((first, last), (low, high)) in enumerate(zip(columns.tolist(), rows.tolist(), strict=True)):
            _add(box, self._set[low : high + 1, first : last + 1], members)
        self._size = np.array([len(some) for some in members], np.int64)
        self._begin = np.cumsum(self._size) - self._size
        self._members = np.array([box for some in members for box in some], np.int64)

    def near(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers, Integers]:
        """Return (position, box) for every box a position may lie in, and positions to ask about elsewhere.

        Of the boxes that a position does lie in none is missing, unless the position is among the latter.
        """
        at, some = self._look_up(latitude, longitude)
        crowded = some == CROWDED
        elsewhere = at[crowded]
        if len(elsewhere):
            at, some = at[~crowded], some[~crowded]
        size = self._size[some]
        return np.repeat(at, size), self._members[spread(self._begin[some], size)], elsewhere

    def _look_up(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Cells]:
        """Return the positions whose cell has a set of boxes, and which one."""
        found = native.look_up(latitude, longitude, self._rows.scale, self._columns.scale, self._set)
        if found is not None:
            return found
        cell = self._rows.cells(latitude)
        cell *= WIDTH
        cell += self._columns.cells(longitude)
        sets = self._set.ravel().take(cell, mode="clip")
        at = np.flatnonzero(sets)
        return at, sets[at]


class _Axis:
    """One direction of a grid: degrees to cells, from 1 within the bounds."""

    def __init__(self, begin: float, end: float) -> None:
        per_degree = CELLS / max(end - begin, 1e-9)
        self.scale = (per_degree, 1 - begin * per_degree)
        """Cells per degree, and the cell of degree 0."""

    def cells(self, degrees: Floats) -> Cells:
        """Return the cells. Rising degrees have rising ones: rounding parts no box from what is in it."""
        # half the digits make half the work, and the cells of what is at a border a little rougher
        scaled = degrees.astype(np.float32)
        scaled *= self.scale[0]
        scaled += self.scale[1]
        if not (scaled.min(initial=1) >= 0 and scaled.max(initial=1) <= CELLS + 1):
            # of what is not a number the greater one is 0, which is in the rim
            np.fmax(scaled, 0, out=scaled)
            np.fmin(scaled, CELLS + 1, out=scaled)
        return scaled.astype(np.int32)


def _add(box: int, cells: Cells, members: list[tuple[int, ...]]) -> None:
    """Put a box into the sets of cells, and into `members`, the boxes of each set."""
    open_ = cells != CROWDED
    sets = cells[open_]
    if len(sets) < len(members):
        found = np.unique(sets)
    else:
        # a wide box: no sorting of a million cells
        seen = np.zeros(len(members), np.bool_)
        seen[sets] = True
        found = np.flatnonzero(seen)
    instead = np.empty(len(found), np.int32)
    for number, old in enumerate(found.tolist()):
        if len(members[old]) == MOST or len(members) == MOST_SETS:
            instead[number] = CROWDED
        else:
            instead[number] = len(members)
            members.append((*members[old], box))
    cells[open_] = instead[np.searchsorted(found, sets)]
