"""Which vehicles a session is sent: those in view as dots, or as hexagons with counts where they are many."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource
from bokeh.util.hex import axial_to_cartesian, cartesian_to_axial

from fleetflow_ui.fleet import Fleet
from fleetflow_ui.geo import View
from fleetflow_ui.status import CRASHED, OTHER, SELECTED

MOST_DOTS = 2_500
"""More in view become hexagons; a full set of dots is about 42 kB, an update of all 32 kB."""
MARKS = 0.3
"""The share of the dots that crashed and selected vehicles may take above hexagons, which are about 30 kB."""
HEX_PX = 26.0
"""Radius of a hexagon."""
SQUARES = 3
"""Squares to a hexagon's radius, in which points are counted first."""
MOST_SQUARES = 4_000_000
"""More would take long to count; small hexagons are counted in view alone."""
FIELDS = 64
"""Fields to each side in which the fleet is counted, to know of a view that it shows many."""
CELLS = 1 << 30
"""More than there are hexagons in a row, to both sides."""
MARGIN = 0.2
STALE = 2
"""Added to what `kind` holds (0 normal, 1 other) for a vehicle that is not heard of."""

Slots = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scene:
    """What one session shows: slots of ordinary, crashed and selected dots; hexagons for the first."""

    dots: Slots
    crashed: Slots
    selected: Slots
    hexagons: Hexagons | None


@dataclass(frozen=True, slots=True)
class Hexagons:
    """Axial coordinates, counts and centres of hexagons, `size_m` from centre to corner."""

    q: npt.NDArray[np.int32]
    r: npt.NDArray[np.int32]
    count: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    size_m: float

    def within(self, view: View) -> Hexagons:
        """Return those that reach into a view."""
        edge = self.size_m
        seen = (self.x >= view.west - edge) & (self.x <= view.east + edge)
        seen &= (self.y >= view.south - edge) & (self.y <= view.north + edge)
        return Hexagons(self.q[seen], self.r[seen], self.count[seen], self.x[seen], self.y[seen], self.size_m)

    def same_places(self, other: Hexagons) -> bool:
        """Whether these are the same hexagons, whatever their counts."""
        return (
            self.size_m == other.size_m
            and np.array_equal(self.q, other.q)
            and np.array_equal(self.r, other.r)
        )


def scene(
    fleet: Fleet,
    view: View,
    wanted: npt.NDArray[np.bool_],
    most: int = MOST_DOTS,
    shared: Hashable | None = None,
) -> Scene:
    """Choose from the vehicles `wanted` those in view; the caller holds the fleet's lock.

    Crashed and selected vehicles stay dots above hexagons; of too many of them (crashed ones come first) the
    others are counted in the hexagons: whatever is in view is in one of the four. `shared` names what is
    `wanted`, so that sessions that want the same share hexagons of one size.
    """
    n = len(wanted)
    size_m, grown = hex_size_m(view), view.grown(MARGIN)
    few = shared is not None and n > most and _few_squares(fleet, n, size_m)
    if few and fleet.once(("fields", shared), lambda: _fields(fleet, wanted)).at_least(grown) > most:
        # no look at each vehicle: all sessions that show much of the fleet share what is found
        marks = fleet.once(("marks", shared), lambda: _marks(fleet, wanted))
        crashed, selected = (slots[grown.holds(fleet.x[slots], fleet.y[slots])] for slots in marks)
        if len(crashed) + len(selected) <= int(most * MARKS):
            found = fleet.once(("hexagons", shared, size_m), lambda: _all_hexagons(fleet, wanted, size_m))
            return Scene(crashed[:0], crashed, selected, found.within(grown))
    seen = grown.holds(fleet.x[:n], fleet.y[:n])
    seen &= wanted
    shown = int(np.count_nonzero(seen))
    room = most if shown <= most else int(most * MARKS)
    status = fleet.status[:n]
    all_crashed = np.flatnonzero(seen & (status == CRASHED))
    all_selected = np.flatnonzero(seen & (status == SELECTED))
    crashed = all_crashed[:room]
    selected = all_selected[: room - len(crashed)]
    whole = len(crashed) + len(selected) == len(all_crashed) + len(all_selected)
    if shown > most and whole and few:
        found = fleet.once(("hexagons", shared, size_m), lambda: _all_hexagons(fleet, wanted, size_m))
        return Scene(crashed[:0], crashed, selected, found.within(grown))
    seen[crashed] = seen[selected] = False
    dots = np.flatnonzero(seen)
    if shown <= most:
        return Scene(dots, crashed, selected, None)
    return Scene(dots[:0], crashed, selected, hexagons(fleet.x[dots], fleet.y[dots], size_m))


def _few_squares(fleet: Fleet, n: int, size_m: float) -> bool:
    """Whether hexagons of this size can be counted for the whole fleet at once."""
    west, east, south, north = fleet.once(("extent", n), lambda: _extent(fleet, n))
    return (east - west) * (north - south) < MOST_SQUARES * (size_m / SQUARES) ** 2


@dataclass(frozen=True, slots=True)
class _Fields:
    """How many vehicles lie south and west of each corner of the fields over where the fleet is."""

    west: float
    south: float
    wide_m: float
    high_m: float
    sums: npt.NDArray[np.int64]

    def at_least(self, view: View) -> int:
        """Return how many lie in the fields that are wholly in view."""
        west, east = _whole(view.west - self.west, view.east - self.west, self.wide_m)
        south, north = _whole(view.south - self.south, view.north - self.south, self.high_m)
        sums = self.sums
        return int(sums[north, east] - sums[south, east] - sums[north, west] + sums[south, west])


def _whole(begin_m: float, end_m: float, step_m: float) -> tuple[int, int]:
    """Return the first and the last corner of the fields between two places, counted from their beginning."""
    first = min(FIELDS, max(0, math.ceil(begin_m / step_m)))
    return first, max(first, min(FIELDS, math.floor(end_m / step_m)))


def _fields(fleet: Fleet, wanted: npt.NDArray[np.bool_]) -> _Fields:
    n = len(wanted)
    west, east, south, north = fleet.once(("extent", n), lambda: _extent(fleet, n))
    wide, high = max(1.0, east - west) / FIELDS, max(1.0, north - south) / FIELDS
    counted = wanted & np.isfinite(fleet.x[:n]) & np.isfinite(fleet.y[:n])
    across = ((fleet.x[:n][counted] - np.float32(west)) / np.float32(wide)).astype(np.int32)
    up = ((fleet.y[:n][counted] - np.float32(south)) / np.float32(high)).astype(np.int32)
    # whoever is furthest north or east lies on the last line
    np.minimum(across, FIELDS - 1, out=across)
    np.minimum(up, FIELDS - 1, out=up)
    counts = np.bincount(up * FIELDS + across, minlength=FIELDS * FIELDS).reshape(FIELDS, FIELDS)
    sums = np.zeros((FIELDS + 1, FIELDS + 1), np.int64)
    sums[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)
    return _Fields(west, south, wide, high, sums)


def _marks(fleet: Fleet, wanted: npt.NDArray[np.bool_]) -> tuple[Slots, Slots]:
    status = fleet.status[: len(wanted)]
    return np.flatnonzero(wanted & (status == CRASHED)), np.flatnonzero(wanted & (status == SELECTED))


def _extent(fleet: Fleet, n: int) -> tuple[float, float, float, float]:
    known = np.isfinite(fleet.x[:n]) & np.isfinite(fleet.y[:n])
    if not known.any():
        return 0.0, 0.0, 0.0, 0.0
    x, y = fleet.x[:n][known], fleet.y[:n][known]
    return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def _all_hexagons(fleet: Fleet, wanted: npt.NDArray[np.bool_], size_m: float) -> Hexagons:
    n = len(wanted)
    status = fleet.status[:n]
    ordinary = wanted & (status != CRASHED) & (status != SELECTED)
    ordinary &= np.isfinite(fleet.x[:n]) & np.isfinite(fleet.y[:n])
    return hexagons(fleet.x[:n][ordinary], fleet.y[:n][ordinary], size_m)


def hex_size_m(view: View) -> float:
    """Return the hexagons' size: of about `HEX_PX`, in steps of a half zoom, so that they hold still."""
    return float(HEX_PX * 2 ** (np.round(2 * np.log2(view.metres_per_px)) / 2))


def hexagons(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], size_m: float) -> Hexagons:
    """Count points by hexagon, pointed at the top, as Bokeh's `hex_tile` numbers them.

    Points are first counted in small squares, and these are given to the hexagons as wholes: a tenth of the
    time, and no point is further off than a quarter of a hexagon's radius.
    """
    side = np.float32(size_m / SQUARES)
    west, south = x.min(), y.min()
    across, up = ((x - west) / side).astype(np.int32), ((y - south) / side).astype(np.int32)
    wide = int(across.max()) + 1
    up *= wide
    up += across
    squares = np.bincount(up)
    found = np.flatnonzero(squares)
    middle_x = float(west) + (found % wide + 0.5) * float(side)
    middle_y = float(south) + (found // wide + 0.5) * float(side)
    q, r = cartesian_to_axial(middle_x, middle_y, size_m, "pointytop")
    # one number for a pair sorts much faster than the pair
    cells, of = np.unique(np.asarray(r, np.int64) * CELLS + np.asarray(q, np.int64), return_inverse=True)
    count = np.bincount(of, weights=squares[found]).astype(np.int64)
    line = np.rint(cells / CELLS).astype(np.int64)
    column = cells - line * CELLS
    centre_x, centre_y = axial_to_cartesian(column, line, size_m, "pointytop")
    return Hexagons(column.astype(np.int32), line.astype(np.int32), count, centre_x, centre_y, size_m)


def kinds(fleet: Fleet, slots: Slots, now: float, stale_s: float) -> npt.NDArray[np.uint8]:
    """Return the colour class of each dot."""
    other = fleet.status[slots] == OTHER
    stale = now - fleet.time[slots] > stale_s
    classes: npt.NDArray[np.uint8] = (other + STALE * stale).astype(np.uint8)
    return classes


class DotColumns:
    """A source of dots in a browser, sent only what changed: all when other vehicles are shown."""

    def __init__(self) -> None:
        empty = np.empty(0, np.float32)
        self.slots: Slots = np.empty(0, np.int64)
        self._sent: dict[str, npt.NDArray[Any]] = {
            "x": empty,
            "y": empty,
            "heading": empty,
            "kind": np.empty(0, np.uint8),
        }
        self.source = ColumnDataSource({**self._sent, "slot": np.empty(0, np.int32)})

    def show(self, fleet: Fleet, slots: Slots, now: float, stale_s: float) -> bool:
        """Bring the source up to date; returns whether anything was sent."""
        if not len(slots) and not len(self.slots):
            return False
        columns: dict[str, npt.NDArray[Any]] = {
            "x": fleet.x[slots],
            "y": fleet.y[slots],
            # Bokeh turns against the clock
            "heading": -fleet.heading_rad[slots],
            "kind": kinds(fleet, slots, now, stale_s),
        }
        if not np.array_equal(slots, self.slots):
            self.slots, self._sent = slots, columns
            self.source.data = {**columns, "slot": slots.astype(np.int32)}
            return True
        changed = {
            name: column
            for name, column in columns.items()
            if not np.array_equal(column, self._sent[name], equal_nan=name == "heading")
        }
        if changed:
            self._sent = columns
            self.source.data.update(changed)
        return bool(changed)


class HexColumns:
    """The source of hexagons in a browser, sent only what changed: mostly counts of the same hexagons."""

    def __init__(self) -> None:
        self.source = ColumnDataSource({"q": [], "r": [], "count": [], "x": [], "y": []})
        self._sent: Hexagons | None = None

    def show(self, found: Hexagons | None) -> bool:
        """Bring the source up to date; returns whether anything was sent."""
        old, self._sent = self._sent, found
        if found is None:
            if old is not None:
                self.source.data = {name: [] for name in self.source.data}
            return old is not None
        count = found.count.astype(np.float32)
        if old is None or not found.same_places(old):
            self.source.data = {
                "q": found.q,
                "r": found.r,
                "count": count,
                "x": found.x.astype(np.float32),
                "y": found.y.astype(np.float32),
            }
            return True
        if np.array_equal(old.count, found.count):
            return False
        self.source.data.update(count=count)
        return True
