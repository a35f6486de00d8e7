"""The detector: crashes of all vehicles of a shard, found in columns.

A batch without a code that counts, and without pings of vehicles whose crash lasts, costs one comparison
per reported code. Of other batches only rows that can change something are looked at one by one.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from fleetflow.contracts.detector import Event
from fleetflow.errors import StoreError
from fleetflow_crash.cities import City, nearest
from fleetflow_crash.episode import Episode

log = logging.getLogger(__name__)

COLUMN = "obd_codes"
STATE_VERSION = 1
STATUS = "CRASHED"
FEW = 256
"""So many pings are looked at one by one in less time than it takes to choose among them."""
SLOT_S = 600.0
"""Stands for `clear_after_s` in ids where crashes are never cleared."""


class CrashDetector:
    """See `fleetflow_crash.episode` for when a crash begins and ends.

    Its empty state knows of no crash: added to a job later, it tells of codes in pings from then on.
    """

    name = "crash"

    def __init__(
        self, codes: Sequence[str], clear_after_s: float, cities: Sequence[City], few: int = FEW
    ) -> None:
        self.codes = tuple(dict.fromkeys(codes))
        self.clear_after_s = clear_after_s
        self.cities = cities
        self.few = few
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
        codes = pings[COLUMN].explode(empty_as_null=False, keep_nulls=False)
        coded = any((codes == code).any() for code in self._detector.codes)
        if not coded and not (len(self._lasting) and self._detector.clear_after_s):
            return ()
        events = []
        changed = False
        for row, vin, time, has_code in self._relevant(pings, coded).iter_rows():
            episode = self._episodes.get(vin)
            if episode is None:
                if not has_code:
                    continue
                episode = self._episodes[vin] = Episode()
            change = episode.take(time, has_code, self._detector.clear_after_s)
            if change is None:
                continue
            changed = True
            ping = pings.row(row, named=True)
            if change == "crashed":
                events.append(self._detector.crashed(episode, ping))
            else:
                events.append(self._detector.cleared(episode, ping))
                episode.over()
        if changed:
            self._lasting = self._still_lasting()
        return events

    def _relevant(self, pings: pl.DataFrame, coded: bool) -> pl.DataFrame:
        """Return (row, vin, time, coded) of the pings that can change something, in order of arrival.

        Left out are pings of vehicles that have no crash. Unless those that remain are few, also pings up to
        the mark of their vehicle, and what is within a stretch of one kind: of a vehicle's pings that all
        have a code the first and the newest do what all do; of pings that have none, and do not reach far
        enough to clear, the oldest and the newest.
        """
        has_code = (
            pl.any_horizontal(pl.col(COLUMN).list.contains(code) for code in self._detector.codes)
            .fill_null(False)
            .alias("coded")
            if coded
            else pl.lit(False).alias("coded")
        )
        rows = pings.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), "vin", "time", has_code)
        rows = rows.filter(pl.col("vin").is_not_null() & pl.col("time").is_finite())
        if self._detector.clear_after_s:
            watched = pl.concat([self._lasting, rows.filter("coded")["vin"]]).unique()
            rows = rows.filter(pl.col("vin").is_in(watched.implode()))
        else:
            rows = rows.filter("coded")
        if rows.height <= self._detector.few:
            return rows
        rows = rows.join(self._known(rows["vin"].unique()), on="vin", how="left", maintain_order="left")
        rows = rows.filter(pl.col("time") > pl.col("mark"))
        newest, oldest = pl.col("time").max().over("vin"), pl.col("time").min().over("vin")
        only_coded = pl.col("coded").all().over("vin")
        never_coded = ~pl.col("coded").any().over("vin")
        reach_s = pl.max_horizontal(newest, "quiet_to") - pl.min_horizontal(oldest, "quiet_from")
        first = pl.col("row") == pl.col("row").min().over("vin")
        kept = (
            pl.when(only_coded)
            .then(first | (pl.col("time") == newest))
            .when(never_coded & (reach_s < self._detector.clear_after_s))
            .then((pl.col("time") == oldest) | (pl.col("time") == newest))
            .otherwise(True)
        )
        return rows.filter(kept).select("row", "vin", "time", "coded")

    def _known(self, vins: pl.Series) -> pl.DataFrame:
        """Return what is remembered of some vehicles, one row each."""
        names = vins.to_list()
        known = [self._episodes.get(vin) or Episode() for vin in names]
        return pl.DataFrame(
            {
                "vin": pl.Series(names, dtype=pl.String),
                "mark": pl.Series([each.mark for each in known], dtype=pl.Float64),
                "quiet_from": pl.Series([each.quiet_from for each in known], dtype=pl.Float64),
                "quiet_to": pl.Series([each.quiet_to for each in known], dtype=pl.Float64),
            }
        )

    def _still_lasting(self) -> pl.Series:
        lasting: Iterable[str] = (vin for vin, each in self._episodes.items() if each.began is not None)
        return pl.Series("vin", list(lasting), dtype=pl.String)

    def snapshot(self) -> dict[str, Any]:
        """Return per vehicle that has crashed its episode, as plain numbers."""
        return {
            "v": STATE_VERSION,
            "vehicles": {
                vin: (each.began, each.mark, each.quiet_from, each.quiet_to)
                for vin, each in self._episodes.items()
            },
        }
