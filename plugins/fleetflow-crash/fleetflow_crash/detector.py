"""The detector: crashes of all vehicles of a shard, found in columns.

A batch without a code that counts, and without pings of vehicles whose crash lasts, costs a look at each
reported code. Of other batches only the vehicles concerned are looked at, stretch by stretch.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.errors import StoreError
from fleetflow.motion.fixes import filled_rows, vehicles_of
from fleetflow.motion.runs import Booleans, Floats, Integers, sizes
from fleetflow_crash.cities import City, nearest
from fleetflow_crash.episode import Episode

log = logging.getLogger(__name__)

COLUMN = "obd_codes"
STATE_VERSION = 1
STATUS = "CRASHED"
SLOT_S = 600.0
"""Stands for `clear_after_s` in ids where crashes are never cleared."""


class CrashDetector:
    """See `fleetflow_crash.episode` for when a crash begins and ends.

    Its empty state knows of no crash: added to a job later, it tells of codes in pings from then on.
    """

    name = "crash"

    def __init__(self, codes: Sequence[str], clear_after_s: float, cities: Sequence[City]) -> None:
        self.codes = tuple(dict.fromkeys(codes))
        self.clear_after_s = clear_after_s
        self.cities = cities
        self._lock = threading.Lock()
        self._idle = False

    def open(self, state: Any | None) -> CrashShard:
        """Open one shard."""
        return CrashShard(self, state)

    def idle(self) -> None:
        """Say, once, that there is nothing to detect."""
        with self._lock:
            if not self._idle:
                log.warning(
                    "the ping schema has no %s, so no crash can be detected: fleetflow-ping 2 has", COLUMN
                )
            self._idle = True

    def crashed(self, episode: Episode, ping: Mapping[str, Any]) -> Event:
        """Return the event for a crash that `ping` made known."""
        vin = str(ping["vin"])
        place = (ping["latitude"], ping["longitude"])
        city, distance = None, None
        if all(isinstance(degrees, float) and math.isfinite(degrees) for degrees in place):
            city, distance = nearest(self.cities, *place)
        return Event(
            id=self._id("crash", vin, episode),
            vin=vin,
            time=float(ping["time"]),
            kind="crash",
            severity="critical",
            message=f"CRASH DETECTED: {vin} HELP DISPATCHED FROM: {city.name if city else 'unknown'}",
            data={
                "codes": [code for code in ping[COLUMN] if code in self.codes],
                "city": city.name if city else None,
                "state": city.state if city else None,
                "distance_km": None if distance is None else round(distance, 1),
            },
            ping=dict(ping),
            update={
                "status": STATUS,
                "note": f"help dispatched from {city.name}, {city.state}" if city else "help dispatched",
            },
        )

    def cleared(self, episode: Episode, ping: Mapping[str, Any]) -> Event:
        """Return the event for a crash that `ping` cleared."""
        vin = str(ping["vin"])
        return Event(
            id=self._id("crash_cleared", vin, episode),
            vin=vin,
            time=episode.quiet_to,
            kind="crash_cleared",
            severity="info",
            message=f"CRASH CLEARED: {vin}",
            data={"crash": self._id("crash", vin, episode), "quiet_s": episode.quiet_to - episode.quiet_from},
            ping=dict(ping),
            update={"status": None, "note": None},
            only_if={"status": [STATUS], "note": []},
        )

    def _id(self, kind: str, vin: str, episode: Episode) -> str:
        # two crashes of a vehicle begin more than clear_after_s apart. So the slot tells them apart, and
        # is (nearly always) the same when a replay brings the pings of two sources in another order
        assert episode.began is not None
        return f"{kind}-{vin}-{int(episode.began // (self.clear_after_s or SLOT_S))}"


class CrashShard:
    """See `CrashDetector`."""

    def __init__(self, detector: CrashDetector, state: Any | None) -> None:
        self._detector = detector
        self._episodes: dict[str, Episode] = {}
        if state is not None:
            if state["v"] > STATE_VERSION:
                raise StoreError(
                    f"the crashes in the recovery store are of version {state['v']}, this fleetflow-crash "
                    f"knows versions up to {STATE_VERSION}",
                    "pip install -U fleetflow-crash",
                )
            self._episodes = {vin: Episode(*numbers) for vin, numbers in state["vehicles"].items()}
        self._lasting = self._still_lasting()

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Take the shard's pings in order of arrival; the events do not depend on where batches begin."""
        if COLUMN not in pings.columns:
            self._detector.idle()
            return ()
        coded = self._coded(pings)
        lasting = self._lasting if self._detector.clear_after_s else frozenset()
        if not len(coded) and not lasting:
            return ()
        vehicles = vehicles_of(pings)
        if vehicles is None:
            return ()
        crashed = lasting.union(pings["vin"][coded])
        time = pings["time"].to_numpy()
        has_code = np.zeros(pings.height, np.bool_)
        has_code[coded] = True
        changes: list[tuple[int, Event]] = []
        for vin, first, size in zip(
            vehicles.vins, vehicles.first.tolist(), sizes(vehicles.first, len(vehicles.row)), strict=True
        ):
            if vin in crashed:
                rows = vehicles.row[first : first + size]
                changes += self._follow(vin, pings, rows[np.isfinite(time[rows])], time, has_code)
        if changes:
            self._lasting = self._still_lasting()
        # in order of arrival
        return [event for _, event in sorted(changes, key=lambda change: change[0])]

    def _coded(self, pings: pl.DataFrame) -> Integers:
        """Return the rows that have a code that counts, rising."""
        rows = filled_rows(pings, COLUMN)
        if not len(rows):
            return rows
        codes = pings[COLUMN][rows]
        each = codes.explode(empty_as_null=False, keep_nulls=False)
        if not any((each == code).any() for code in self._detector.codes):
            return rows[:0]
        counts = pl.any_horizontal(pl.col(COLUMN).list.contains(code) for code in self._detector.codes)
        return rows[codes.to_frame().select(counts.fill_null(False)).to_series().to_numpy()]

    def _follow(
        self, vin: str, pings: pl.DataFrame, rows: Integers, time: Floats, has_code: Booleans
    ) -> Iterator[tuple[int, Event]]:
        """Take a vehicle's pings, in order of arrival; yield what changed, with its row.

        Stretches of pings that all have a code, or all have none, are taken at once.
        """
        episode = self._episodes.get(vin)
        begins = np.append(0, np.flatnonzero(has_code[rows][1:] != has_code[rows][:-1]) + 1)
        for stretch in np.split(rows, begins[1:]):
            if not len(stretch):
                continue
            coded = bool(has_code[stretch[0]])
            if episode is None:
                if not coded:
                    continue
                episode = self._episodes[vin] = Episode()
            found = episode.take(time[stretch], coded, self._detector.clear_after_s)
            if found is None:
                continue
            row = int(stretch[found[0]])
            ping = pings.row(row, named=True)
            if found[1] == "crashed":
                yield row, self._detector.crashed(episode, ping)
            else:
                yield row, self._detector.cleared(episode, ping)
                episode.over()

    def _still_lasting(self) -> frozenset[str]:
        return frozenset(vin for vin, each in self._episodes.items() if each.began is not None)

    def snapshot(self) -> dict[str, Any]:
        """Return per vehicle that has crashed its episode, as plain numbers."""
        return {
            "v": STATE_VERSION,
            "vehicles": {
                vin: (each.began, each.mark, each.quiet_from, each.quiet_to)
                for vin, each in self._episodes.items()
            },
        }
