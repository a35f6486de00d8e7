"""What is remembered of each vehicle of one shard, in columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from fleetflow.motion.fixes import Numbering
from fleetflow.motion.runs import Floats, Integers, grown
from fleetflow.motion.tables import packed, unpacked

VERSION = 1
NO_DAY = 0
NEVER = -1


class Fleet:
    """A row per vehicle, by its number; rows are never removed.

    `latest` and `counted` (rows, 3): points on the unit sphere; `time` of the latest fix in milliseconds
    since 1970, NEVER when there is none; `day` (ordinal) and `mm`: the distance of the last day that has one.
    """

    def __init__(self) -> None:
        self.numbering = Numbering()
        self.latest: Floats = np.empty((0, 3))
        self.counted: Floats = np.empty((0, 3))
        self.time: Integers = np.empty(0, np.int64)
        self.day: Integers = np.empty(0, np.int64)
        self.mm: Integers = np.empty(0, np.int64)

    def fit(self) -> None:
        """Make room for all vehicles that have a number."""
        vehicles = len(self.numbering.vins)
        self.latest = grown(self.latest, vehicles, np.nan)
        self.counted = grown(self.counted, vehicles, np.nan)
        self.time = grown(self.time, vehicles, NEVER)
        self.day = grown(self.day, vehicles, NO_DAY)
        self.mm = grown(self.mm, vehicles, 0)

    def to_plain(self) -> dict[str, Any]:
        """Return everything as plain data: an Arrow stream, a column per number, times in seconds."""
        self.fit()
        size = len(self.numbering.vins)
        columns: dict[str, Any] = {"vin": pl.Series(self.numbering.vins, dtype=pl.String)}
        for name, points in (("latest", self.latest), ("counted", self.counted)):
            columns |= {f"{name}_{axis}": points[:size, axis] for axis in range(3)}
        time = self.time[:size]
        columns |= {
            "time": np.where(time == NEVER, -np.inf, time / 1000),
            "day": self.day[:size],
            "mm": self.mm[:size],
        }
        return {"v": VERSION, "fleet": packed(pl.DataFrame(columns))}

    @classmethod
    def from_plain(cls, plain: dict[str, Any] | None) -> Fleet:
        """Return what `to_plain` was given; an empty fleet for None."""
        fleet = cls()
        if plain is None:
            return fleet
        table = unpacked(plain["fleet"])
        fleet.numbering = Numbering(table["vin"].to_list())
        fleet.fit()
        size = table.height
        for name, points in (("latest", fleet.latest), ("counted", fleet.counted)):
            for axis in range(3):
                points[:size, axis] = table[f"{name}_{axis}"].to_numpy()
        time = table["time"].to_numpy()
        fleet.time[:size] = np.where(np.isfinite(time), np.rint(time * 1000), NEVER)
        fleet.day[:size], fleet.mm[:size] = table["day"].to_numpy(), table["mm"].to_numpy()
        return fleet
