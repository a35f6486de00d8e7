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


class Areas:
    """Some areas, with a tree over the boxes of their parts: thousands of them cost little more than one.

    Circles are decided by great-circle distance to the centre; polygons in the plane of longitude and
    latitude, where RFC 7946 has their edges straight. Borders belong to the area.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        self.areas = tuple(areas)
        parts = [(number, area, box) for number, area in enumerate(areas) for box in area.boxes]
        self._owner = np.array([number for number, _, _ in parts], np.int64)
        self._circle = np.array([area.circle is not None for _, area, _ in parts], np.bool_)
        self._shapes = np.array([one for area in areas for one in area.polygons or area.boxes], np.object_)
        shapely.prepare(self._shapes)
        circles = [area.circle for _, area, _ in parts]
        self._latitude = np.array([one.latitude if one else 0 for one in circles], np.float64)
        self._longitude = np.array([one.longitude if one else 0 for one in circles], np.float64)
        self._radius_m = np.array([one.radius_m if one else 0 for one in circles], np.float64)
        boxes = [box for _, _, box in parts]
        self._tree = shapely.STRtree(boxes)
        self._grid = Grid(shapely.bounds(boxes).reshape(-1, 4))
        # prepared shapes build their own indexes when first asked, and shards ask from several threads
        self._lock = threading.Lock()

    def containing(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers]:
        """Return (position, area) for each area that a position lies in, by their numbers, in that order.

        Degrees; a position at longitude 180 is the same as one at -180.
        """
        edge = np.flatnonzero(np.abs(longitude) == 180)
        if len(edge):
            position, area = self._pairs(
                np.append(latitude, latitude[edge]), np.append(longitude, -longitude[edge])
            )
            position = np.append(np.arange(len(latitude)), edge)[position]
        else:
            position, area = self._pairs(latitude, longitude)
        many = max(1, len(self.areas))
        # a position on the border between two parts of an area lies in both
        pairs = np.unique(position * many + area)
        return pairs // many, pairs % many

    def _pairs(self, latitude: Floats, longitude: Floats) -> tuple[Integers, Integers]:
        near = self._grid.near(latitude, longitude)
        latitude, longitude = latitude[near], longitude[near]
        with self._lock:
            position, part = self._tree.query(shapely.points(longitude, latitude))
            inside = np.ones(len(part), np.bool_)
            flat = np.flatnonzero(~self._circle[part])
            at, of = position[flat], part[flat]
            inside[flat] = shapely.intersects_xy(self._shapes[of], longitude[at], latitude[at])
        round_ = np.flatnonzero(self._circle[part])
        at, of = position[round_], part[round_]
        squared = haversine(latitude[at], longitude[at], self._latitude[of], self._longitude[of])
        inside[round_] = self._radius_m[of] >= metres(squared)
        return near[position[inside]], self._owner[part[inside]]
