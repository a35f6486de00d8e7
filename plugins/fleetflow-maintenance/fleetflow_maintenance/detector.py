"""The detector `maintenance`: notices for vehicles that report, codes that appear, codes that come again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fleetflow.codes import Codes
from fleetflow.contracts.detector import Event
from fleetflow.motion.fixes import Vehicles, vehicles_of
from fleetflow_maintenance.faults import Appeared, Faults
from fleetflow_maintenance.matching import KIND, ONLY_IF, notice_event, update_of
from fleetflow_maintenance.watch import Watch

VERSION = 1


@dataclass(frozen=True, slots=True)
class MaintenanceDetector:
    """See `MaintenanceShard`. Added to a running job it begins with the next ping of each vehicle."""

    watch: Watch
    codes: Codes
    repeat_count: int
    repeat_s: float
    name: str = "maintenance"

    def open(self, state: Any | None) -> MaintenanceShard:
        """Open one shard."""
        self.watch.start()
        return MaintenanceShard(self, state or {})


class MaintenanceShard:
    """Events of kind `maintenance` and `fault` for the vehicles of one shard.

    An event per notice and affected vehicle, with the vehicle's first ping after that is known, once; an
    event per code that appears (see `Faults`), and one when it has appeared too often. The status becomes
    MAINTENANCE unless there is one that is worse, such as CRASHED.
    """

    def __init__(self, detector: MaintenanceDetector, state: Mapping[str, Any]) -> None:
        self._detector = detector
        self._faults = Faults(detector.repeat_count, detector.repeat_s, state.get("faults"))
        self._told: dict[str, tuple[str, ...]] = dict(state.get("told", {}))
        self._version = 0
        self._settled: set[str] = set()

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Return what appeared, then what is due."""
        vehicles = vehicles_of(pings)
        if vehicles is None:
            return ()
        events: list[Event] = []
        if "obd_codes" in pings.columns:
            for appeared in self._faults.take(pings, vehicles):
                ping = pings.row(appeared.row, named=True)
                events.append(self._fault(appeared, ping))
                if appeared.repeated:
                    events.append(self._repeated(appeared, ping))
        events.extend(self._notices(pings, vehicles))
        return events

    def _fault(self, appeared: Appeared, ping: Mapping[str, Any]) -> Event:
        codes = self._detector.codes
        return Event(
            id=f"fault:{appeared.vin}:{appeared.code}:{appeared.time!r}",
            vin=appeared.vin,
            time=appeared.time,
            kind="fault",
            severity=codes.severity(appeared.code),
            message=f"{appeared.vin}: {codes.describe(appeared.code)}",
            data={"code": appeared.code, "title": codes.title(appeared.code)},
            ping=ping,
        )

    def _repeated(self, appeared: Appeared, ping: Mapping[str, Any]) -> Event:
        codes, count = self._detector.codes, len(appeared.repeated)
        note = f"{codes.describe(appeared.code)} appeared {count} times"
        return Event(
            id=f"repeated:{appeared.vin}:{appeared.code}:{appeared.time!r}",
            vin=appeared.vin,
            time=appeared.time,
            kind=KIND,
            severity="warning",
            message=f"{appeared.vin}: {note} within {appeared.time - appeared.repeated[0]:g} s",
            data={
                "reason": "repeated",
                "code": appeared.code,
                "title": codes.title(appeared.code),
                "times": list(appeared.repeated),
            },
            ping=ping,
            update=update_of(note),
            only_if=ONLY_IF,
        )

    def _notices(self, pings: pl.DataFrame, vehicles: Vehicles) -> Iterator[Event]:
        matches = self._detector.watch.matches
        if matches.version != self._version:
            self._version = matches.version
            self._settled.clear()
        if not matches.by_vin:
            return
        affected = [
            place
            for place, vin in enumerate(vehicles.vins)
            if vin in matches.by_vin and vin not in self._settled
        ]
        if not affected:
            return
        for ping in pings[vehicles.row[vehicles.first[affected]]].iter_rows(named=True):
            vin = ping["vin"]
            self._settled.add(vin)
            told = self._told.get(vin, ())
            new = [due for due in matches.by_vin[vin] if due["number"] not in told]
            if new:
                self._told[vin] = (*told, *(due["number"] for due in new))
            for due in new:
                yield notice_event(due, ping["time"], ping)

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {"v": VERSION, "faults": self._faults.snapshot(), "told": dict(self._told)}
