"""Decides who is speeding, and tells when that changes.

A window of `window_s` ends every `slide_s` of event time, at whole multiples since 1970, and holds the fixes
in (end - window, end]. It is evaluated once the vehicle's newest ping is `lateness_s` past its end, if a fix
lies in its last slide: otherwise it tells nothing new. A ping that comes after the first window it is in was
evaluated is too late and counts in none. So the outcome is a function of the order in which a vehicle's pings
arrive, and only as far as some were too late: not of batches, other vehicles, clocks, or workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.motion.fixes import Fixes, Numbering, fixes_of, in_order, newest_before
from fleetflow.motion.runs import Booleans, Column, Integers, ends, groups, grown, sizes, spread, woven
from fleetflow.motion.tables import packed, unpacked
from fleetflow_speed.odometer import NEVER, Odometer, Track, Windows, slots_of, vehicle_key
from fleetflow_speed.pending import Pending
from fleetflow_speed.settings import SpeedSettings

STATE_VERSION = 1
STATUS = "SPEEDING"


class SpeedDetector:
    """Makes `speeding` and `speeding_ended` events. See `fleetflow.contracts.detector`."""

    name = "speed"

    def __init__(self, settings: SpeedSettings) -> None:
        self._settings = settings

    def open(self, state: Any | None) -> SpeedShard:
        """Open one shard; from the empty state a vehicle is not speeding until a window says so."""
        return SpeedShard(self._settings, state)


class SpeedShard:
    """The vehicles of one shard, in columns: a vehicle is its number."""

    def __init__(self, settings: SpeedSettings, state: Mapping[str, Any] | None) -> None:
        self._settings = settings
        self._slide_ms = round(settings.slide_s * 1000)
        self._lateness_ms = round(settings.lateness_s * 1000)
        self._numbering = Numbering()
        self._newest: Integers = np.zeros(0, np.int64)
        self._speeding: Booleans = np.zeros(0, np.bool_)
        self._pending = Pending()
        self._odometer = Odometer(
            round(settings.window_s / settings.slide_s),
            self._slide_ms,
            round(settings.min_span_s * 1000),
            settings.limit_kmh,
        )
        if state is not None:
            self._load(state)

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Take a batch; costs what its own vehicles hold. Events are in order of vehicle and time."""
        fixes = fixes_of(pings, self._numbering)
        if fixes is None:
            return []
        self._fit()
        track = self._track(fixes)
        if not (track.closed > track.first).any():
            return []
        windows = self._odometer.drive(track, self._speeding[track.vehicles])
        return [
            self._event(
                self._numbering.vins[windows.vehicle[i]],
                speeding,
                float(windows.speed_kmh[i]),
                int(windows.slot[i]),
                int(track.time[row]),
                float(track.latitude[row]),
                float(track.longitude[row]),
            )
            for i, speeding in self._changes(windows)
            for row in (windows.last[i],)
        ]

    def _fit(self) -> None:
        vehicles = len(self._numbering.vins)
        self._newest = grown(self._newest, vehicles, NEVER)
        self._speeding = grown(self._speeding, vehicles, False)
        self._pending.fit(vehicles)
        self._odometer.fit(vehicles)

    def _track(self, fixes: Fixes) -> Track:
        """Return the fixes whose windows are to be evaluated, in order; all others are pending."""
        vehicles, group = fixes.vehicles, fixes.group
        columns = (fixes.time, fixes.latitude, fixes.longitude)
        came = sizes(fixes.first, len(group))
        stored = self._newest[vehicles]
        if in_order(fixes, stored):
            # the common case: what is later than all before it is not too late
            good, newest = None, fixes.time[ends(fixes.first, len(group))]
        else:
            before, newest = newest_before(fixes, stored, NEVER)
            good = slots_of(fixes.time, self._slide_ms) > self._final(before)
        self._newest[vehicles] = newest
        final = self._final(newest)
        moved = final > self._final(stored)
        if not moved.all():
            good = np.ones(len(group), np.bool_) if good is None else good
            wait = good & ~moved[group]
            counts = np.bincount(group[wait], minlength=len(vehicles))
            self._pending.append(vehicles, counts, *(column[wait] for column in columns))
            good &= moved[group]
        if good is not None:
            came = np.bincount(group[good], minlength=len(vehicles))[moved]
            columns = tuple(column[good] for column in columns)
            vehicles, final = vehicles[moved], final[moved]
        track = self._with_pending(vehicles, came, columns, final)
        left = sizes(track.first, len(track.time)) - (track.closed - track.first)
        rows = spread(track.closed, left)
        self._pending.replace(
            track.vehicles, left, track.time[rows], track.latitude[rows], track.longitude[rows]
        )
        return track

    def _final(self, newest: Integers) -> Integers:
        """Return the last slot whose window is not waited for any longer."""
        return (newest - self._lateness_ms) // self._slide_ms

    def _with_pending(
        self, vehicles: Integers, came: Integers, columns: Sequence[Column], final: Integers
    ) -> Track:
        """Return what came and the pending fixes, by vehicle and time, each once; closed up to `final`."""
        pending = self._pending
        held, rows = pending.size[vehicles], pending.rows(vehicles)
        old = [column[rows] for column in (pending.time, pending.latitude, pending.longitude)]
        time, latitude, longitude = woven(old, columns, held, came)
        group = np.repeat(np.arange(len(vehicles)), held + came)
        key = vehicle_key(group, time)
        if not (key[1:] > key[:-1]).all():
            # of several positions at one time the greatest counts, whichever came first
            order = np.lexsort((longitude, latitude, key))
            order = order[np.append(key[order][1:] != key[order][:-1], True)]
            key, group = key[order], group[order]
            time, latitude, longitude = time[order], latitude[order], longitude[order]
        first = np.searchsorted(key, vehicle_key(np.arange(len(vehicles)), 0))
        end = np.maximum(final * self._slide_ms, -1)
        closed = np.searchsorted(key, vehicle_key(np.arange(len(vehicles)), end), side="right")
        there = sizes(first, len(key)) > 0
        if not there.all():
            vehicles, first, closed = vehicles[there], first[there], closed[there]
            key = vehicle_key(np.repeat(np.arange(len(first)), sizes(first, len(key))), time)
        return Track(vehicles, first, closed, key, time, latitude, longitude)

    def _changes(self, windows: Windows) -> list[tuple[int, bool]]:
        """Return which windows change whether their vehicle is speeding, and to what."""
        settings = self._settings
        speed = windows.speed_kmh
        above, below = speed > settings.limit_kmh, speed <= settings.limit_kmh - settings.hysteresis_kmh
        first, group = groups(windows.vehicle)
        each = windows.vehicle[first]
        # the last window up to each one that says something; what says nothing changes nothing
        said = np.maximum.accumulate(np.where(above | below, np.arange(len(speed)), -1))
        after = np.where(said >= first[group], above[said], self._speeding[each][group])
        before = np.empty_like(after)
        before[1:] = after[:-1]
        before[first] = self._speeding[each]
        self._speeding[each] = after[ends(first, len(speed))]
        return [(int(i), bool(after[i])) for i in np.flatnonzero(after != before)]

    def _event(
        self,
        vin: str,
        speeding: bool,
        speed: float,
        slot: int,
        time_ms: int,
        latitude: float,
        longitude: float,
    ) -> Event:
        settings = self._settings
        kind = "speeding" if speeding else "speeding_ended"
        speed_kmh, time = round(speed, 1), time_ms / 1000
        update: dict[str, Any] = {"speeding": True, "speed_kmh": speed_kmh}
        if not speeding:
            update = dict.fromkeys(update)
        only_if: dict[str, list[Any]] = {}
        if settings.set_status:
            update["status"] = STATUS if speeding else None
            update["note"] = f"{speed_kmh:.0f} km/h" if speeding else None
            # whatever else is the matter with a vehicle is worse
            only_if = {"status": [None, STATUS] if speeding else [STATUS], "note": []}
        return Event(
            id=hashlib.sha256(
                f"speed\n{vin}\n{time_ms}\n{kind}".encode("utf-8", "surrogatepass")
            ).hexdigest(),
            vin=vin,
            time=time,
            kind=kind,
            severity="warning" if speeding else "info",
            message=f"{vin} {'drives' if speeding else 'is back to'} {speed_kmh:.0f} km/h"
            f" (limit {settings.limit_kmh:g} km/h)",
            data={
                "speed_kmh": speed_kmh,
                "limit_kmh": settings.limit_kmh,
                "window_s": settings.window_s,
                "window_end": slot * self._slide_ms / 1000,
            },
            ping={"vin": vin, "latitude": latitude, "longitude": longitude, "time": time},
            update=update,
            only_if=only_if,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return three tables as Arrow IPC streams: vehicles, remembered slots, pending fixes."""
        count = len(self._numbering.vins)
        self._fit()
        odometer, pending, everyone = self._odometer, self._pending, np.arange(count)
        vehicles = pl.DataFrame(
            {
                "vin": pl.Series(self._numbering.vins, dtype=pl.String),
                "newest": self._newest[:count],
                "speeding": self._speeding[:count],
                "latitude": odometer.latitude[:count],
                "longitude": odometer.longitude[:count],
                "distance_mm": odometer.distance_mm[:count],
            }
        )
        number, place = np.nonzero(odometer.remembered(count))
        remembered = pl.DataFrame(
            {
                "vehicle": number,
                "time": odometer.first_time[number, place],
                "mm": odometer.first_mm[number, place],
            }
        )
        rows = pending.rows(everyone)
        waiting = pl.DataFrame(
            {
                "vehicle": np.repeat(everyone, pending.size[:count]),
                "time": pending.time[rows],
                "latitude": pending.latitude[rows],
                "longitude": pending.longitude[rows],
            }
        )
        return {
            "v": STATE_VERSION,
            "vehicles": packed(vehicles),
            "remembered": packed(remembered),
            "pending": packed(waiting),
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        vehicles, remembered = unpacked(state["vehicles"]), unpacked(state["remembered"])
        waiting = unpacked(state["pending"])
        self._numbering = Numbering(vehicles["vin"].to_list())
        self._fit()
        count, odometer = vehicles.height, self._odometer
        self._newest[:count] = vehicles["newest"].to_numpy()
        self._speeding[:count] = vehicles["speeding"].to_numpy()
        odometer.latitude[:count] = vehicles["latitude"].to_numpy()
        odometer.longitude[:count] = vehicles["longitude"].to_numpy()
        odometer.distance_mm[:count] = vehicles["distance_mm"].to_numpy()
        odometer.remember(
            remembered["vehicle"].to_numpy(), remembered["time"].to_numpy(), remembered["mm"].to_numpy()
        )
        first, _ = groups(waiting["vehicle"].to_numpy())
        self._pending.append(
            waiting["vehicle"].to_numpy()[first],
            sizes(first, waiting.height),
            waiting["time"].to_numpy(),
            waiting["latitude"].to_numpy(),
            waiting["longitude"].to_numpy(),
        )
