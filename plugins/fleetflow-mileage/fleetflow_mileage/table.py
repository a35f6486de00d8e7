"""The table of distances: written by the detector at every snapshot, read by any process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fleetflow import sqlite

FILE = "mileage.sqlite3"
LAYOUT = 1
SCRIPT = """
create table mileage (
    vin text not null, day text not null, mm integer not null, primary key (vin, day)
) strict, without rowid;
create index mileage_day on mileage (day)
"""


@dataclass(frozen=True, slots=True)
class Mileage:
    """How far one vehicle went on one local day."""

    vin: str
    day: str
    km: float


class MileageTable:
    """Writes the table. Rows are totals, so writing one again changes nothing; threads take turns.

    Keeps `keep_days` days up to the newest one. Opened when something is written for the first time.
    """

    def __init__(self, folder: Path, keep_days: int) -> None:
        self._path = folder / FILE
        self._keep = timedelta(days=keep_days)
        self._lock = threading.Lock()

    def put(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Set (vin, day, millimetres) of some vehicles and days, all or none of them."""
        with self._lock:
            connection = sqlite.connect(self._path, LAYOUT, SCRIPT)
            try:
                # the recovery store relies on these rows: they must be on the disk before its own are
                connection.execute("pragma synchronous = full")
                with sqlite.transaction(connection):
                    connection.executemany("insert or replace into mileage values (?, ?, ?)", rows)
                    newest = connection.execute("select max(day) from mileage").fetchone()[0]
                    oldest = date.fromisoformat(newest) - self._keep
                    connection.execute("delete from mileage where day <= ?", (oldest.isoformat(),))
            finally:
                connection.close()


class MileageReader:
    """Reads the table from any process; one that does not exist yet is empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def rows(self, day: str | None = None, vin: str | None = None) -> Iterator[Mileage]:
        """Yield distances, newest day first, then in order of VIN."""
        connection = sqlite.connect_to_read(self._path, LAYOUT)
        if connection is None:
            return
        try:
            query = (
                "select vin, day, mm from mileage"
                " where (:day is null or day = :day) and (:vin is null or vin = :vin) order by day desc, vin"
            )
            for name, on, mm in connection.execute(query, {"day": day, "vin": vin}):
                yield Mileage(name, on, mm / 1e6)
        finally:
            connection.close()
