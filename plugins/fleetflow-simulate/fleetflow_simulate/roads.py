"""A graph of road-like lines between the cities of the central United States.

The lines are made up, not surveyed: neighbouring cities (the Gabriel graph, in which two cities are
neighbours when no third one lies in the circle over their connection: Gabriel and Sokal, Systematic
Zoology 18, 1969) are joined by gently bent lines, except across the Great Lakes.
"""

from __future__ import annotations

import csv
import functools
import random
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
EARTH_RADIUS_KM = 6371.0088
"""Mean radius (IUGG)."""
POINTS = 24
LONGEST_KM = 500.0
WET_SHARE = 0.1
"""How much of a line may lie in a lake: roads along the shore cut its corners."""
LAKES = (
    # Lake Michigan
    (
        (-87.3, 41.75), (-86.9, 41.85), (-86.6, 42.1), (-86.35, 42.6), (-86.4, 43.2), (-86.6, 43.6),
        (-86.5, 44.1), (-86.35, 44.7), (-86.0, 45.0), (-86.9, 45.2), (-87.4, 44.7), (-87.6, 44.0),
        (-87.8, 43.0), (-87.7, 42.3), (-87.5, 41.85),
    ),
    # Lake Erie
    (
        (-83.2, 41.75), (-82.7, 41.6), (-81.8, 41.6), (-81.2, 41.85), (-80.2, 42.25), (-80.0, 42.8),
        (-81.5, 42.6), (-82.5, 42.1), (-83.0, 42.0),
    ),
)  # fmt: skip
"""Rough outlines as (longitude, latitude), a few kilometres inside the shore."""


@dataclass(frozen=True, slots=True)
class Road:
    """A line between the cities numbered `start` and `end`; `km` is the way from the start to each point."""

    start: int
    end: int
    latitude: Floats
    longitude: Floats
    km: Floats


@dataclass(frozen=True, slots=True)
class Network:
    """All cities and roads; `at[i]` lists (road, forward) for each road that leaves city i."""

    names: tuple[str, ...]
    roads: tuple[Road, ...]
    at: tuple[tuple[tuple[int, bool], ...], ...]


def distance_km(latitude1: Floats, longitude1: Floats, latitude2: Floats, longitude2: Floats) -> Floats:
    """Return great-circle distances in km (haversine formula); all angles in degrees."""
    phi1, phi2 = np.radians(latitude1), np.radians(latitude2)
    half = np.sin((phi2 - phi1) / 2) ** 2
    half = half + np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(longitude2 - longitude1) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(half)))


@functools.cache
def network() -> Network:
    """Return the network; the same at every call and in every process."""
    with (resources.files(__package__) / "data/cities.csv").open("r", encoding="utf-8") as file:
        cities = list(csv.DictReader(file))
    latitude = np.array([float(city["latitude"]) for city in cities])
    longitude = np.array([float(city["longitude"]) for city in cities])
    lines = (
        # along a shore, the bend away from the lake
        min((_bend(start, end, latitude, longitude, side) for side in (1, -1)), key=_wet_share)
        for start, end in _connected(_gabriel(latitude, longitude), latitude, longitude)
    )
    roads = tuple(road for road in lines if _wet_share(road) <= WET_SHARE)
    at: list[list[tuple[int, bool]]] = [[] for _ in cities]
    for number, road in enumerate(roads):
        at[road.start].append((number, True))
        at[road.end].append((number, False))
    names = tuple(f"{city['name']}, {city['state']}" for city in cities)
    return Network(names, roads, tuple(tuple(leaving) for leaving in at))


def routes() -> list[Floats]:
    """Return all roads as arrays of (longitude, latitude), for drawing."""
    return [np.column_stack((road.longitude, road.latitude)) for road in network().roads]


def _gabriel(latitude: Floats, longitude: Floats) -> list[tuple[int, int]]:
    # a flat map is good enough to choose neighbours on
    x, y = longitude * np.cos(np.radians(latitude.mean())), latitude
    square = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    count = len(x)
    edges = []
    for i in range(count):
        # k lies in the circle over i and j when the angle at k is obtuse
        between = square[i] + square < square[i][:, None] - 1e-12
        edges += [(i, int(j)) for j in np.flatnonzero(~between.any(axis=1)) if j > i]
    return edges


def _wet_share(road: Road) -> float:
    """Return the share of a road's points that lie in a lake (ray casting: odd crossings are inside)."""
    wet = np.zeros(len(road.km), bool)
    for lake in LAKES:
        for (x1, y1), (x2, y2) in zip(lake, (*lake[1:], lake[0]), strict=True):
            if y1 != y2:
                crosses = (y1 > road.latitude) != (y2 > road.latitude)
                wet ^= crosses & (road.longitude < (x2 - x1) * (road.latitude - y1) / (y2 - y1) + x1)
    return float(wet.mean())


def _connected(edges: list[tuple[int, int]], latitude: Floats, longitude: Floats) -> list[tuple[int, int]]:
    """Leave out what is too long for one leg, unless a city would lose its last road."""
    lengths = {
        edge: float(distance_km(latitude[edge[0]], longitude[edge[0]], latitude[edge[1]], longitude[edge[1]]))
        for edge in edges
    }
    degree = np.zeros(len(latitude), int)
    kept = []
    for edge in sorted(edges, key=lengths.__getitem__):
        if lengths[edge] <= LONGEST_KM or degree[edge[0]] == 0 or degree[edge[1]] == 0:
            kept.append(edge)
            degree[list(edge)] += 1
    return sorted(kept)


def _bend(start: int, end: int, latitude: Floats, longitude: Floats, side: int) -> Road:
    rng = random.Random(f"road {start} {end}")
    along = np.linspace(0, 1, POINTS)
    dy, dx = latitude[end] - latitude[start], longitude[end] - longitude[start]
    # three waves across the straight line that vanish at both ends
    across = side * sum(rng.uniform(-0.035, 0.035) * np.sin(np.pi * along * waves) for waves in (1, 2, 3))
    bent_latitude = latitude[start] + dy * along + dx * across
    bent_longitude = longitude[start] + dx * along - dy * across
    steps = distance_km(bent_latitude[:-1], bent_longitude[:-1], bent_latitude[1:], bent_longitude[1:])
    return Road(start, end, bent_latitude, bent_longitude, np.concatenate(([0.0], np.cumsum(steps))))
