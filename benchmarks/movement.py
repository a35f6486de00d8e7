"""How the benchmarks' vehicles drive: on smooth ways around a place of their own, at the speed of roads.

A way is the sum of a slow and a quick oscillation to the north and one of each to the east. So a vehicle's
position is a function of its number, the seed and the time alone, is had by columns, and stays within
`REACH_KM` of its home however long it drives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOUTH, WEST = 25.0, -120.0
"""The corner of the region where vehicles are at home; it is 23 degrees high and 50 wide."""

KM_PER_DEGREE = 6371.0088 * np.pi / 180
PERIODS_H = (4.0, 0.8)
PEAKS_KMH = (45.0, 35.0)
"""How long the slow and the quick oscillation take, and how fast they are in the middle, per axis."""

SLOWEST, FASTEST = 0.6, 1.3
"""A vehicle's pace: what both speeds are multiplied with."""

REACH_KM = FASTEST * sum(
    peak * period * 2**0.5 / (2 * np.pi) for peak, period in zip(PEAKS_KMH, PERIODS_H, strict=True)
)
"""No vehicle is ever further from its home."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """How each of some vehicles drives, by its number: its pace, and where its oscillations begin."""

    pace: np.ndarray
    phases: np.ndarray

    @classmethod
    def of(cls, vehicles: int, seed: int) -> Drivers:
        """Return the drivers of the vehicles 0 to `vehicles` - 1."""
        # beside the seed another number, so that nothing here is the same as in the rest of an input
        rng = np.random.default_rng([seed, 4])
        pace = rng.uniform(SLOWEST, FASTEST, vehicles)
        return cls(pace, rng.uniform(0, 2 * np.pi, (2, len(PERIODS_H), vehicles)))

    def at(self, numbers: np.ndarray, elapsed_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return latitude and longitude, in degrees, of vehicle `numbers[i]` after `elapsed_s[i]` seconds."""
        home_latitude, home_longitude = home(numbers)
        pace = self.pace[numbers]
        away = []
        for phases in self.phases:
            km = np.zeros(len(numbers))
            for peak, period_h, phase in zip(PEAKS_KMH, PERIODS_H, phases, strict=True):
                turn = 2 * np.pi / (period_h * 3600)
                km += peak * period_h / (2 * np.pi) * np.sin(elapsed_s * turn + phase[numbers])
            away.append(km * pace / KM_PER_DEGREE)
        return home_latitude + away[0], home_longitude + away[1] / np.cos(np.radians(home_latitude))


def home(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude of the homes of vehicles, in degrees."""
    return SOUTH + (numbers * 7919 % 23_000) / 1000, WEST + (numbers * 104_729 % 50_000) / 1000
