"""Between degrees and Web Mercator (EPSG:3857), and what a window shows of the world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_M = 6_378_137.0
"""Radius of the sphere of Web Mercator (EPSG:3857)."""
WORLD_M = 2 * math.pi * EARTH_RADIUS_M
"""Side of the world square, in metres at the equator."""
FLAT_LIMIT = 85.05
"""Web Mercator ends there, in degrees."""
TILE_PX = 512
"""Side of a tile; zoom z shows the world as `TILE_PX * 2**z` pixels."""


def mercator(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> tuple[Any, Any]:
    """Return Web Mercator metres (x, y) of degrees."""
    x = EARTH_RADIUS_M * np.radians(longitude)
    bounded = np.radians(np.clip(latitude, -FLAT_LIMIT, FLAT_LIMIT))
    return x, EARTH_RADIUS_M * np.log(np.tan(np.pi / 4 + bounded / 2))


def degrees(x: float, y: float) -> tuple[float, float]:
    """Return latitude and longitude in degrees of Web Mercator metres."""
    latitude = math.degrees(2 * math.atan(math.exp(y / EARTH_RADIUS_M)) - math.pi / 2)
    return latitude, math.degrees(x / EARTH_RADIUS_M)


@dataclass(frozen=True, slots=True)
class View:
    """What a window shows: its edges in Web Mercator metres, and its width and height in pixels."""

    west: float
    south: float
    east: float
    north: float
    width_px: float
    height_px: float

    @property
    def metres_per_px(self) -> float:
        """Web Mercator metres to one pixel."""
        return max(
            (self.east - self.west) / max(1.0, self.width_px),
            (self.north - self.south) / max(1.0, self.height_px),
            1e-6,
        )

    @property
    def zoom(self) -> float:
        """The zoom of a 512 px tile that would be shown at its own size."""
        return math.log2(WORLD_M / TILE_PX / self.metres_per_px)

    @property
    def middle(self) -> tuple[float, float]:
        """The point in the middle."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2

    def grown(self, share: float) -> View:
        """Return a view with a margin of `share` of each side, so that a little panning needs no new dots."""
        across, up = (self.east - self.west) * share, (self.north - self.south) * share
        return View(
            self.west - across,
            self.south - up,
            self.east + across,
            self.north + up,
            self.width_px * (1 + 2 * share),
            self.height_px * (1 + 2 * share),
        )

    def holds(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return which points lie inside; those without a position never do."""
        return (x >= self.west) & (x <= self.east) & (y >= self.south) & (y <= self.north)


def centred(x: float, y: float, zoom: float, width_px: float, height_px: float) -> View:
    """Return the view of a zoom around a point."""
    metres = WORLD_M / TILE_PX / 2**zoom
    across, up = width_px * metres / 2, height_px * metres / 2
    return View(x - across, y - up, x + across, y + up, width_px, height_px)


def around(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    width_px: float,
    height_px: float,
    covered_px: tuple[float, float] = (0.0, 0.0),
    nearest_zoom: float = 12.0,
) -> View | None:
    """Return the nearest view that shows all points with a margin, None when there are none.

    `covered_px`: what lies over the window on the left and at the top; the points are put beside it.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    x, y = x[known].astype(float), y[known].astype(float)
    west, east, south, north = x.min(), x.max(), y.min(), y.max()
    left, top = covered_px
    free_x, free_y = max(100.0, width_px - left), max(100.0, height_px - top)
    metres = max((east - west) / (0.88 * free_x), (north - south) / (0.88 * free_y), 1e-3)
    zoom = min(nearest_zoom, math.log2(WORLD_M / TILE_PX / metres))
    metres = WORLD_M / TILE_PX / 2**zoom
    middle_x, middle_y = (west + east) / 2 - left / 2 * metres, (south + north) / 2 + top / 2 * metres
    return centred(float(middle_x), float(middle_y), zoom, width_px, height_px)
