"""A graph of road-like lines between the cities of the central United States.

The lines are made up, not surveyed: neighbouring cities (the Gabriel graph, in which two cities are
neighbours when no third one lies in the circle over their connection) are joined by gently bent lines.
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
    roads = tuple(
        _bend(start, end, latitude, longitude)
        for start, end in _connected(_gabriel(latitude, longitude), latitude, longitude)
    )
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
        for j in range(i + 1, count):
            # k lies in the circle over i and j when the angle at k is obtuse
            if not np.any(square[i] + square[j] < square[i, j] - 1e-12):
                edges.append((i, j))
    return edges


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


def _bend(start: int, end: int, latitude: Floats, longitude: Floats) -> Road:
    rng = random.Random(f"road {start} {end}")
    along = np.linspace(0, 1, POINTS)
    dy, dx = latitude[end] - latitude[start], longitude[end] - longitude[start]
    # two waves across the straight line that vanish at both ends
    across = sum(rng.uniform(-0.035, 0.035) * np.sin(np.pi * along * waves) for waves in (1, 2, 3))
    bent_latitude = latitude[start] + dy * along + dx * across
    bent_longitude = longitude[start] + dx * along - dy * across
    steps = distance_km(bent_latitude[:-1], bent_longitude[:-1], bent_latitude[1:], bent_longitude[1:])
    return Road(start, end, bent_latitude, bent_longitude, np.concatenate(([0.0], np.cumsum(steps))))
