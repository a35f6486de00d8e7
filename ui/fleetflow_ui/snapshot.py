"""The fleet as all sessions of this process see it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetflow.contracts.vehicles import VehiclesMap
from fleetflow.errors import FleetflowError

log = logging.getLogger(__name__)
EARTH_RADIUS_M = 6_378_137.0
"""Radius of the sphere of Web Mercator (EPSG:3857)."""
FLAT_LIMIT = 85.05
"""Web Mercator ends there, in degrees."""


def mercator(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> tuple[Any, Any]:
    """Return Web Mercator metres (x, y) of degrees (EPSG:3857)."""
    x = EARTH_RADIUS_M * np.radians(longitude)
    bounded = np.radians(np.clip(latitude, -FLAT_LIMIT, FLAT_LIMIT))
    return x, EARTH_RADIUS_M * np.log(np.tan(np.pi / 4 + bounded / 2))


@dataclass(frozen=True, slots=True)
class Fleet:
    """One state of the fleet: columns of equal length, one row per vehicle, `version` rising."""

    version: int
    columns: dict[str, Any]
    times: npt.NDArray[np.float64]
    changed_at: float
    problem: str

    def __len__(self) -> int:
        return len(self.times)


class FleetReader:
    """Follows the change feed of the vehicles map in a thread; `fleet` is the newest state."""

    def __init__(self, open_map: Callable[[], VehiclesMap], refresh_s: float) -> None:
        self._open_map = open_map
        self._refresh_s = refresh_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="fleet-reader", daemon=True)
        self._slots: dict[str, int] = {}
        self._records: list[dict[str, Any]] = []
        self._revision = 0
        self.fleet = Fleet(0, _columns([]), np.empty(0), time.time(), "")

    def start(self) -> FleetReader:
        """Begin to follow."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and let go of the map."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        vehicles: VehiclesMap | None = None
        try:
            while not self._stop.is_set():
                try:
                    vehicles = vehicles or self._open_map()
                    self.look(vehicles)
                except FleetflowError as error:
                    self._say(f"{error.message} ({error.hint})")
                self._stop.wait(self._refresh_s)
        finally:
            if vehicles is not None:
                vehicles.close()

    def look(self, vehicles: VehiclesMap) -> None:
        """Take over what changed since the last look."""
        changes = vehicles.changed_since(self._revision)
        self._revision = changes.revision
        if not changes.records:
            if self.fleet.problem:
                self._say("")
            return
        for record in changes.records:
            slot = self._slots.setdefault(record["vin"], len(self._records))
            if slot == len(self._records):
                self._records.append(record)
            else:
                self._records[slot] = record
        times = np.array([record["time"] for record in self._records], dtype=float)
        self.fleet = Fleet(self.fleet.version + 1, _columns(self._records), times, time.time(), "")

    def _say(self, problem: str) -> None:
        if problem and problem != self.fleet.problem:
            log.warning("%s", problem)
        if problem != self.fleet.problem:
            old = self.fleet
            self.fleet = Fleet(old.version + 1, old.columns, old.times, old.changed_at, problem)


def _columns(records: list[dict[str, Any]]) -> dict[str, Any]:
    x, y = mercator(
        np.array([record["latitude"] for record in records], dtype=float),
        np.array([record["longitude"] for record in records], dtype=float),
    )
    return {
        "x": x.astype(np.float32),
        "y": y.astype(np.float32),
        "vin": [str(record["vin"]) for record in records],
        "when": [time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(record["time"])) for record in records],
        "source": [str(record.get("source", "")) for record in records],
        "codes": [" ".join(map(str, record.get("obd_codes") or ())) or "none" for record in records],
        "status": [str(record.get("status") or "NORMAL") for record in records],
    }
