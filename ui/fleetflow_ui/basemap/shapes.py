"""The map's shapes as shipped in ``data/shapes.npz``: reading, writing, and the selection for a zoom.

A file holds two sets of paths, areas and lines, and the names with their places. Vertices lie on a grid of
2**21 steps over the world square (19 m at the equator); each has a rank, the lowest zoom at which it is
drawn, so one copy of the geometry serves all zooms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetflow_ui.basemap import codec
from fleetflow_ui.basemap.geometry import Points

DATA = Path(__file__).parent / "data"
GRID = 1 << 21
FULL_ZOOM = 11
"""From this zoom on every vertex is drawn."""


class Area(IntEnum):
    """What a ring is filled with; rings are stored from large to small, each drawn over the larger."""

    WATER = 0
    HOME = 1
    ABROAD = 2


class Line(IntEnum):
    """What a line stands for."""

    COUNTRY = 0
    STATE = 1
    COUNTY = 2
    ROAD = 3


@dataclass(frozen=True)
class Paths:
    """Many paths in one array: path i has the vertices ``xy[starts[i]:starts[i + 1]]``."""

    xy: Points
    starts: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    rank: npt.NDArray[np.uint8]

    def at_zoom(self, zoom: int, *, least: int) -> Paths:
        """Only the vertices drawn at this zoom; paths left with fewer than `least` are dropped."""
        keep = self.rank <= zoom
        path_of = np.repeat(np.arange(len(self.kind)), np.diff(self.starts))
        lengths = np.bincount(path_of[keep], minlength=len(self.kind))
        stays = lengths >= least
        keep &= stays[path_of]
        starts = np.concatenate(([0], np.cumsum(lengths[stays])))
        return Paths(self.xy[keep], starts, self.kind[stays], self.rank[keep])

    def of_kind(self, kind: int) -> Paths:
        """Only the paths of one kind."""
        stays = self.kind == kind
        lengths = np.diff(self.starts)
        keep = np.repeat(stays, lengths)
        starts = np.concatenate(([0], np.cumsum(lengths[stays])))
        return Paths(self.xy[keep], starts, self.kind[stays], self.rank[keep])

    @cached_property
    def boxes(self) -> npt.NDArray[np.float64]:
        """West, north, east and south of each path, shape ``(paths, 4)``."""
        if not len(self.kind):
            return np.empty((0, 4))
        first = self.starts[:-1]
        return np.concatenate(
            (np.minimum.reduceat(self.xy, first), np.maximum.reduceat(self.xy, first)), axis=1
        )

    def touching(self, low: tuple[float, float], high: tuple[float, float]) -> Iterator[tuple[int, Points]]:
        """Kind and vertices of the paths whose box meets the rectangle, in stored order."""
        box = self.boxes
        hits = (box[:, 0] <= high[0]) & (box[:, 2] >= low[0]) & (box[:, 1] <= high[1]) & (box[:, 3] >= low[1])
        for i in np.flatnonzero(hits):
            yield int(self.kind[i]), self.xy[self.starts[i] : self.starts[i + 1]]

    @cached_property
    def _segment_boxes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        lo, hi = np.minimum(self.xy[:-1], self.xy[1:]), np.maximum(self.xy[:-1], self.xy[1:])
        breaks = self.starts[1:-1] - 1
        lo[breaks], hi[breaks] = np.inf, -np.inf
        return lo, hi

    def runs(self, low: tuple[float, float], high: tuple[float, float]) -> Iterator[Points]:
        """The stretches of the paths that may be seen in the rectangle, whole segments each."""
        if len(self.xy) < 2:
            return
        lo, hi = self._segment_boxes
        seen = (lo[:, 0] <= high[0]) & (hi[:, 0] >= low[0]) & (lo[:, 1] <= high[1]) & (hi[:, 1] >= low[1])
        hits = np.flatnonzero(seen)
        if not len(hits):
            return
        for run in np.split(hits, np.flatnonzero(np.diff(hits) > 1) + 1):
            yield self.xy[run[0] : run[-1] + 2]


def pack_paths(paths: list[Points], kinds: list[int], ranks: list[npt.NDArray[np.uint8]]) -> dict[str, Any]:
    """Arrays that `unpack_paths` reads: deltas on the grid, lengths, kinds and ranks."""
    grid = np.round(np.concatenate(paths) * GRID).astype(np.int64) if paths else np.empty((0, 2), np.int64)
    steps = np.diff(grid, axis=0, prepend=np.zeros((1, 2), np.int64)) if paths else grid
    return {
        "x": codec.encode(steps[:, 0]),
        "y": codec.encode(steps[:, 1]),
        "length": codec.encode([len(path) for path in paths]),
        "kind": np.asarray(kinds, dtype=np.uint8),
        "rank": np.concatenate(ranks).astype(np.uint8) if ranks else np.empty(0, np.uint8),
    }


def unpack_paths(arrays: dict[str, Any]) -> Paths:
    """The inverse of `pack_paths`, up to the rounding to the grid."""
    steps = np.stack([codec.decode(arrays["x"]), codec.decode(arrays["y"])], axis=-1)
    starts = np.concatenate(([0], np.cumsum(codec.decode(arrays["length"]))))
    return Paths(np.cumsum(steps, axis=0) / GRID, starts, arrays["kind"], arrays["rank"])


@dataclass(frozen=True, slots=True)
class Place:
    """A name and where it belongs: fractions of the world square; `weight` orders places of one sort.

    Cities weigh by population, those abroad by 60 % of it; areas by the width, as a fraction of the
    world, that the name may take. `radius`, of states alone, is how far the name may be moved, as a
    fraction of the world.
    """

    name: str
    x: float
    y: float
    weight: float
    short: str = ""
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Shapes:
    """Everything that the renderer draws."""

    areas: Paths
    lines: Paths
    places: dict[str, tuple[Place, ...]]


def write_shapes(path: Path, areas: dict[str, Any], lines: dict[str, Any], places: dict[str, Any]) -> None:
    """Write a data file; `places` maps a sort to lists of the fields of `Place`, x and y on the grid."""
    text = json.dumps(places, ensure_ascii=False, separators=(",", ":")).encode()
    np.savez_compressed(
        path,
        **{f"area_{key}": value for key, value in areas.items()},
        **{f"line_{key}": value for key, value in lines.items()},
        places=np.frombuffer(text, dtype=np.uint8),
    )


def read_shapes(path: Path = DATA / "shapes.npz") -> Shapes:
    """Read a data file of `write_shapes`; takes about 50 ms for the file shipped."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    areas, lines = (
        unpack_paths({n.removeprefix(p): a for n, a in arrays.items() if n.startswith(p)})
        for p in ("area_", "line_")
    )
    places = {
        sort: tuple(Place(name, x / GRID, y / GRID, weight, *more) for name, x, y, weight, *more in entries)
        for sort, entries in json.loads(arrays["places"].tobytes()).items()
    }
    return Shapes(areas, lines, places)
