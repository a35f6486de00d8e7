"""The nearest city of a table, over the surface of the earth."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

EARTH_RADIUS_KM = 6371.0088
"""The mean radius R1 of the GRS 80 ellipsoid (H. Moritz, Geodetic Reference System 1980)."""


@dataclass(frozen=True, slots=True)
class City:
    """A city: its name, the postal code of its state, and where it is, in decimal degrees."""

    name: str
    state: str
    latitude: float
    longitude: float


def load() -> tuple[City, ...]:
    """Return the cities that come with this plugin."""
    with (resources.files(__package__) / "data/cities.csv").open("r", encoding="utf-8") as file:
        return tuple(
            City(row["name"], row["state"], float(row["latitude"]), float(row["longitude"]))
            for row in csv.DictReader(file)
        )


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the great-circle distance of two (latitude, longitude) in degrees, in kilometres.

    The haversine formula: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984), p. 159.
    It keeps its digits for points close to each other. The earth is taken for a sphere: up to 0.6 % off.
    """
    latitudes = math.radians(a[0]), math.radians(b[0])
    east = math.radians(b[1] - a[1])
    h = (
        math.sin((latitudes[1] - latitudes[0]) / 2) ** 2
        + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(east / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


def nearest(cities: Sequence[City], latitude: float, longitude: float) -> tuple[City, float]:
    """Return the city nearest to a place, and how many kilometres away it is."""
    here = (latitude, longitude)
    distance, city = min(
        ((distance_km(here, (city.latitude, city.longitude)), city) for city in cities),
        key=lambda pair: (pair[0], pair[1].state, pair[1].name),
    )
    return city, distance
