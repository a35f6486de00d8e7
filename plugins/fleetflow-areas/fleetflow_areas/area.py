"""One area, made of parts that do not cross the antimeridian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import shapely

from fleetflow.errors import FleetflowError
from fleetflow.motion.sphere import EARTH_RADIUS_M

MOST_RADIUS_M = math.pi * EARTH_RADIUS_M


class AreasError(FleetflowError):
    """The file with the areas cannot be used, or an area is asked for that is not in it."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All positions within `radius_m` of a centre, by great circle."""

    latitude: float
    longitude: float
    radius_m: float

    def boxes(self) -> list[shapely.Polygon]:
        """Return one or two boxes in degrees that hold the circle: two where it crosses the antimeridian.

        Formula: J. P. Matuschek, Finding Points Within a Distance of a Latitude/Longitude Using Bounding
        Coordinates. A circle around a pole reaches all longitudes.
        """
        angle = self.radius_m / EARTH_RADIUS_M * (1 + 1e-9) + 1e-12
        south, north = (self.latitude + sign * math.degrees(angle) for sign in (-1, 1))
        if south <= -90 or north >= 90:
            return [shapely.box(-180, max(south, -90), 180, min(north, 90))]
        reach = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(self.latitude))))
        west, east = self.longitude - reach, self.longitude + reach
        return split_box(
            west + 360 if west < -180 else west, south, east - 360 if east > 180 else east, north
        )


@dataclass(frozen=True, slots=True)
class Area:
    """`id` is what events, records and commands call it, `name` what people do; `kind` is for people, too.

    It holds what one of its polygons (in degrees; their borders belong to them) or its circle holds.
    """

    id: str
    name: str
    kind: str
    polygons: tuple[shapely.Polygon, ...] = ()
    circle: Circle | None = None

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east, north; east < west where it crosses the antimeridian."""
        bounds = [box.bounds for box in self.boxes]
        west, south, east, north = zip(*bounds, strict=True)
        if self.kind == "multipolygon":
            return min(west), min(south), max(east), max(north)
        return west[0], min(south), east[-1], max(north)

    @property
    def boxes(self) -> list[shapely.Polygon]:
        """The boxes that hold it."""
        return self.circle.boxes() if self.circle else [shapely.box(*one.bounds) for one in self.polygons]


def split_box(west: float, south: float, east: float, north: float) -> list[shapely.Polygon]:
    """Return a box as one or, where it crosses the antimeridian (east < west), two boxes."""
    if west <= east:
        return [shapely.box(west, south, east, north)]
    return [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
