"""A fleet of trucks that report at regular intervals, staggered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fleetflow_simulate import vin
from fleetflow_simulate.roads import Floats, network
from fleetflow_simulate.trucks import Truck


@dataclass(frozen=True, slots=True)
class Ping:
    """One report; `time` in seconds since 1970, degrees with 7 decimals."""

    vin: str
    latitude: float
    longitude: float
    time: float
    obd_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """The pings of one vehicle over a stretch of time, by columns."""

    vin: str
    latitude: Floats
    longitude: Floats
    time: Floats
    obd_codes: list[tuple[str, ...]]

    def pings(self) -> Iterator[Ping]:
        """Yield them one by one."""
        rows = zip(
            self.latitude.tolist(), self.longitude.tolist(), self.time.tolist(), self.obd_codes, strict=True
        )
        for latitude, longitude, time, codes in rows:
            yield Ping(self.vin, latitude, longitude, time, codes)


class Fleet:
    """`vehicles` trucks; each reports every `interval_s` seconds of the stamps, which begin at `start`.

    `acceleration` moves the trucks faster than the stamps say, for maps of half a country; `moment` is how
    many seconds they had been driving for at `start`. Ping number k of a vehicle is the same whatever
    stretches it is asked for in.
    """

    def __init__(
        self,
        vehicles: int,
        seed: int,
        start: float,
        interval_s: float = 30.0,
        fault_rate: float = 0.02,
        acceleration: float = 1.0,
        moment: float = 0.0,
    ) -> None:
        roads = network()
        self.start = start
        self.interval_s = interval_s
        self._acceleration = acceleration
        self._moment = moment
        self.trucks = [Truck(name, roads, seed, fault_rate) for name in vin.fleet(vehicles, seed)]
        self._phase = interval_s * np.arange(vehicles) / vehicles

    def tracks(self, since: float, until: float) -> Iterator[Track]:
        """Yield the pings with since <= stamp < until, vehicle by vehicle; both in seconds after start."""
        firsts = np.maximum(0, np.ceil((since - self._phase) / self.interval_s - 1e-9)).astype(int)
        ends = np.maximum(firsts, np.ceil((until - self._phase) / self.interval_s - 1e-9)).astype(int)
        for number in np.flatnonzero(ends > firsts):
            truck = self.trucks[number]
            after = self._phase[number] + np.arange(firsts[number], ends[number]) * self.interval_s
            moments = self._moment + after * self._acceleration
            latitude, longitude = truck.positions(moments)
            yield Track(
                truck.vin,
                np.round(latitude, 7),
                np.round(longitude, 7),
                np.round(self.start + after, 3),
                truck.faults.codes(moments.tolist()),
            )

    def pings(self, since: float, until: float) -> list[Ping]:
        """Return the same, of all vehicles, in order of time."""
        return sorted(
            (ping for track in self.tracks(since, until) for ping in track.pings()),
            key=lambda ping: (ping.time, ping.vin),
        )
