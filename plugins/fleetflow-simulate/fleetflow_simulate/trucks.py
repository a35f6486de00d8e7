"""One truck's way through the network, as a function of time."""

from __future__ import annotations

import itertools
import random

import numpy as np

from fleetflow_simulate.faults import FaultHistory
from fleetflow_simulate.roads import Floats, Network

SLOWEST_KMH, FASTEST_KMH = 80.0, 108.0
"""Bounds of a truck's mean speed on one road."""
SWAY = 0.1
"""How far speed swings about that mean, as a share of it."""
REST_SHARE = 0.35
"""How often a truck stops at a city, for 5 to 40 minutes."""


class Truck:
    """Drives from city to city for ever. Times are seconds since the fleet's start.

    Where it is at a moment depends on seed and moment alone: asking step by step or for a year at once
    gives the same.
    """

    def __init__(self, vin: str, network: Network, seed: int, fault_rate: float) -> None:
        self.vin = vin
        self._network = network
        self._rng = random.Random(f"truck {seed} {vin}")
        self.faults = FaultHistory(random.Random(f"faults {seed} {vin}"), fault_rate)
        self._city = self._rng.randrange(len(network.names))
        self._came_by = -1
        self._starts: list[float] = []
        self._legs: list[tuple[float, float, int, bool, int]] = []
        # the truck is somewhere on its first road when the story begins
        self._until = -self._rng.uniform(0.0, 1.0) * 3600.0

    def _extend(self, until: float) -> None:
        while self._until <= until:
            choices = [leaving for leaving in self._network.at[self._city] if leaving[0] != self._came_by]
            road, forward = self._rng.choice(choices or self._network.at[self._city])
            speed_kmh = self._rng.uniform(SLOWEST_KMH, FASTEST_KMH)
            self._starts.append(self._until)
            self._legs.append((self._until, speed_kmh, road, forward, self._rng.randint(1, 5)))
            line = self._network.roads[road]
            self._until += line.km[-1] / speed_kmh * 3600.0
            if self._rng.random() < REST_SHARE:
                self._until += self._rng.uniform(300.0, 2400.0)
            self._city, self._came_by = (line.end if forward else line.start), road

    def positions(self, moments: Floats) -> tuple[Floats, Floats]:
        """Return latitudes and longitudes (degrees) at rising `moments`."""
        if not len(moments):
            return np.empty(0), np.empty(0)
        crash_at = self.faults.crashed_by(float(moments[-1]))
        if crash_at is not None:
            moments = np.minimum(moments, crash_at)
        self._extend(float(moments[-1]))
        legs = np.searchsorted(np.array(self._starts), moments, side="right") - 1
        latitude, longitude = np.empty(len(moments)), np.empty(len(moments))
        bounds = [0, *(np.flatnonzero(legs[1:] != legs[:-1]) + 1).tolist(), len(moments)]
        for first, last in itertools.pairwise(bounds):
            start, speed_kmh, road, forward, waves = self._legs[legs[first]]
            line = self._network.roads[road]
            share = np.minimum((moments[first:last] - start) / 3600.0 * speed_kmh / line.km[-1], 1.0)
            # the way's derivative is 1 + SWAY * cos(...): faster and slower, and there in the same time
            turn = 2.0 * np.pi * waves
            km = line.km[-1] * (share + SWAY / turn * np.sin(turn * share))
            if not forward:
                km = line.km[-1] - km
            latitude[first:last] = np.interp(km, line.km, line.latitude)
            longitude[first:last] = np.interp(km, line.km, line.longitude)
        return latitude, longitude
