"""Days of real buses as input: with rows out of time order, repeats, and zero and empty coordinates.

A day is a CSV file of Capital Metro, Austin, with the columns timestamp, vehicle_id, latitude, longitude and
speed among others, sorted by trip. Nothing of it comes with fleetflow.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


class Report(NamedTuple):
    """One row: `time` in seconds since 1970, all numbers else as the text that was published."""

    day: str
    bus: str
    time: float
    latitude: str
    longitude: str
    speed: str

    @property
    def place(self) -> tuple[float, float] | None:
        """Degrees, None when they are not valid."""
        if not (self.latitude and self.longitude):
            return None
        degrees = float(self.latitude), float(self.longitude)
        valid = abs(degrees[0]) <= 90 and abs(degrees[1]) <= 180 and degrees != (0, 0)
        return degrees if valid and all(map(math.isfinite, degrees)) else None


def reports(folder: Path) -> list[Report]:
    """Return all rows of all days in a folder, in the order of the files."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                when = datetime.fromisoformat(row["timestamp"]).timestamp()
                numbers = (row["latitude"], row["longitude"], row["speed"])
                found.append(Report(path.stem, row["vehicle_id"], when, *numbers))
    return found


def of_day(report: Report) -> str:
    """Return a name for a bus on one day."""
    return f"{report.bus}-{report.day}"


def as_alpha(rows: Iterable[Report], by_day: bool = True) -> dict[str, list[str]]:
    """Return the rows as lines of alpha, a file per vehicle: a bus on one day, or on all days."""
    files: dict[str, list[str]] = {}
    for row in rows:
        vin = of_day(row) if by_day else row.bus
        files.setdefault(f"{vin}.csv", []).append(f"{vin},{row.latitude},{row.longitude},{row.time}\n")
    return files


def valid(rows: Iterable[Report]) -> list[tuple[str, float, float, float]]:
    """Return (vehicle, time, latitude, longitude) of valid pings, a vehicle per bus and day."""
    return [(of_day(row), row.time, *row.place) for row in rows if row.place is not None]
