"""What is remembered of each vehicle of one shard, in columns."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from fleetflow_mileage.geometry import Floats, Ints

VERSION = 1
NO_DAY = 0


class Fleet:
    """A row per vehicle, in order of first appearance; rows are never removed.

    `latest` and `counted` (3, rows): points on the unit sphere; `time` of the latest fix in seconds since
    1970, -inf when there is none; `day` (ordinal) and `mm`: the distance of the last day that has one.
    """

    POINTS = ("latest", "counted")
    NUMBERS = ("time", "day", "mm")

    def __init__(self) -> None:
        self.vins: list[str] = []
        self._rows: dict[str, int] = {}
        self._size = 0
        self.latest: Floats = np.empty((3, 0))
        self.counted: Floats = np.empty((3, 0))
        self.time: Floats = np.empty(0)
        self.day: Ints = np.empty(0, np.int64)
        self.mm: Ints = np.empty(0, np.int64)

    def rows(self, vins: list[str]) -> Ints:
        """Return the rows of vehicles, new ones made where they are not known."""
        known, names = self._rows, self.vins
        rows = [known.get(vin, -1) for vin in vins]
        if -1 in rows:
            for i, vin in enumerate(vins):
                if rows[i] < 0:
                    rows[i] = known[vin] = len(names)
                    names.append(vin)
            self._grow(len(names))
        return np.array(rows, np.int64)

    def _grow(self, size: int) -> None:
        if size <= self._size:
            return
        more = max(size, self._size * 3 // 2) - self._size
        self._size += more
        for name in self.POINTS:
            setattr(self, name, np.concatenate((getattr(self, name), np.full((3, more), np.nan)), axis=1))
        self.time = np.concatenate((self.time, np.full(more, -np.inf)))
        self.day = np.concatenate((self.day, np.full(more, NO_DAY)))
        self.mm = np.concatenate((self.mm, np.zeros(more, np.int64)))

    def to_plain(self) -> dict[str, Any]:
        """Return everything as plain data: an Arrow stream, a column per number."""
        size = len(self.vins)
        columns: dict[str, Any] = {"vin": self.vins}
        for name in self.POINTS:
            for axis in range(3):
                columns[f"{name}_{axis}"] = getattr(self, name)[axis, :size]
        for name in self.NUMBERS:
            columns[name] = getattr(self, name)[:size]
        stream = io.BytesIO()
        pl.DataFrame(columns).write_ipc_stream(stream, compression="zstd")
        return {"v": VERSION, "fleet": stream.getvalue()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any] | None) -> Fleet:
        """Return what `to_plain` was given; an empty fleet for None."""
        fleet = cls()
        if plain is None:
            return fleet
        table = pl.read_ipc_stream(io.BytesIO(plain["fleet"]))
        fleet.rows(table["vin"].to_list())
        size = table.height
        for name in cls.POINTS:
            for axis in range(3):
                getattr(fleet, name)[axis, :size] = table[f"{name}_{axis}"].to_numpy()
        for name in cls.NUMBERS:
            getattr(fleet, name)[:size] = table[name].to_numpy()
        return fleet
