"""Which positions lie in which areas."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import shapely

from fleetflow.motion.runs import Floats, Integers
from fleetflow.motion.sphere import haversine, metres
from fleetflow_areas.area import Area
from fleetflow_areas.grid import Grid

CORNERS = 5
"""The positions in the ring of a rectangle: the first one is there twice."""


class Areas:
    """Some areas, with an index over the boxes of their parts: thousands cost little more than one.

    The index is a grid and, for where many boxes overlap, a tree: both give the same boxes.

    Circles are decided by great-circle distance to the centre; polygons in the plane of longitude and
    latitude, where RFC 7946 has their edges straight. Borders belong to the area.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        self.areas = tuple(areas)
        parts = [(number, area, box) for number, area in enumerate(areas) for box in area.boxes]
        self._owner = np.array([number for number, _, _ in parts], np.int64)
        self._circle = np.array([area.circle is not None for _, area, _ in parts], np.bool_)
        self._boxes = shapely.bounds([box for _, _, box in parts]).reshape(-1, 4)
        self._shapes = np.array([one for area in areas for one in area.polygons or area.boxes], np.object_)
        shapely.prepare(self._shapes)
        circles = [area.circle for _, area, _ in parts]
        self._latitude = np.array([one.latitude if one else 0 for one in circles], np.float64)
        self._longitude = np.array([one.longitude if one else 0 for one in circles], np.float64)
        self._radius_m = np.array([one.radius_m if one else 0 for one in circles], np.float64)
        boxes = np.array([box for _, _, box in parts], np.object_)
        # a rectangle is its box: who lies in the one lies in the other
        self._outlined = ~self._circle
        few = np.flatnonzero(self._outlined & (shapely.get_num_coordinates(self._shapes) == CORNERS))
        self._outlined[few] = ~shapely.equals(self._shapes[few], boxes[few])
        self._tree = shapely.STRtree(boxes)
        self._grid = Grid(self._boxes)
        # prepared shapes build their own indexes when first asked, and shards ask from several threads
        self._lock = threading.Lock()

    def containing(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers]:
        """Return (position, area) for each area that a position lies in, by their numbers, in that order.

        Degrees; a position at longitude 180 is the same as one at -180.
        """
        # not the other way round: among them may be what is not a number
        if not (longitude.min(initial=0) > -180 and longitude.max(initial=0) < 180):
            edge = np.flatnonzero(np.abs(longitude) == 180)
            position, area = self._pairs(
                np.append(latitude, latitude[edge]), np.append(longitude, -longitude[edge])
            )
            position = np.append(np.arange(len(latitude)), edge)[position]
        else:
            position, area = self._pairs(latitude, longitude)
        many = max(1, len(self.areas))
        # a position on the border between two parts of an area lies in both
        pairs = np.sort(position * many + area)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        return pairs // many, pairs % many

    def _pairs(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers]:
        """Return (position, area) for each part of an area that a position lies in, in no order."""
        position, part = self._boxed(latitude, longitude)
        inside = np.ones(len(part), np.bool_)
        outlined = np.flatnonzero(self._outlined[part])
        at, of = position[outlined], part[outlined]
        with self._lock:
            inside[outlined] = shapely.intersects_xy(self._shapes[of], longitude[at], latitude[at])
        round_ = np.flatnonzero(self._circle[part])
        at, of = position[round_], part[round_]
        squared = haversine(latitude[at], longitude[at], self._latitude[of], self._longitude[of])
        inside[round_] = self._radius_m[of] >= metres(squared)
        return position[inside], self._owner[part[inside]]

    def _boxed(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers]:
        """Return (position, part) for each part whose box a position lies in, in no order."""
        position, part, crowded = self._grid.near(latitude, longitude)
        west, south, east, north = self._boxes[part].T
        x, y = longitude[position], latitude[position]
        within = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        position, part = position[within], part[within]
        if not len(crowded):
            return position, part
        points = shapely.points(longitude[crowded], latitude[crowded])
        with self._lock:
            of, boxed = self._tree.query(points)
        return np.append(position, crowded[of]), np.append(part, boxed)
