"""The nearest city of a table, over the surface of the earth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from fleetflow.motion.sphere import haversine, metres


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


def nearest(cities: Sequence[City], latitude: float, longitude: float) -> tuple[City, float]:
    """Return the city nearest to a place, and how many kilometres away it is."""
    places = np.array([(city.latitude, city.longitude) for city in cities])
    distance_km = metres(haversine(np.array(latitude), np.array(longitude), *places.T)) / 1000
    least = distance_km.min()
    # of cities at one distance the first by name of state and city, so that a replay finds the same
    near = [cities[row] for row in np.flatnonzero(distance_km == least).tolist()]
    return min(near, key=lambda city: (city.state, city.name)), float(least)
