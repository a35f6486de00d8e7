"""The Parquet files: pings of one shard and one UTC day, compressed with zstd."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from fleetflow_archive.manifest import File

NUMBER = "_number"
"""The column with a ping's number in its log."""
DAY_S = 86_400
FIRST_DAY = (date(1, 1, 1) - date(1970, 1, 1)).days
LAST_DAY = (date(9999, 12, 31) - date(1970, 1, 1)).days
UNKNOWN = "unknown"
"""The day of a ping without a time that has one: such pings pass only when validation is turned off."""
SORTED_GROUP_ROWS = 16_384
"""Rows of a row group in a sorted file: small enough that a trail reads little of it."""


def day_name(day: int | None) -> str:
    """Return `2026-11-24` for days since 1970."""
    return UNKNOWN if day is None else (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def today(now: float) -> str:
    """Return the UTC day of a time in seconds since 1970."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def by_day(pings: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the pings of each UTC day, in the order in which they are given."""
    days = (pings["time"] / DAY_S).floor()
    usable = days.is_between(FIRST_DAY, LAST_DAY).fill_null(False)
    if usable.all() and days.min() == days.max():
        yield day_name(int(days[0])), pings
        return
    keyed = pings.with_columns(pl.when(usable).then(days).cast(pl.Int32).alias("_day"))
    parts = keyed.partition_by("_day", include_key=False, as_dict=True, maintain_order=True)
    for (day,), part in parts.items():
        yield day_name(day), part


def write(folder: Path, day: str, run: str, level: int, pings: pl.DataFrame, now: float) -> File:
    """Write pings (with their numbers) of one day as a file under the shard's `folder`.

    Appears under its name only when it is complete. It is not on disk yet: see `sync`.
    """
    first, last = int(pings[NUMBER].min()), int(pings[NUMBER].max())  # type: ignore[arg-type] # integers
    name = f"{first:012d}-{last:012d}-{level}-{run}.parquet"
    path = folder / f"day={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    pings.write_parquet(
        new,
        compression="zstd",
        compression_level=1,
        row_group_size=SORTED_GROUP_ROWS if level else None,
    )
    size = new.stat().st_size
    new.replace(path)
    since, until = _ends(pings["time"])
    vins = pings["vin"]
    named = not vins.null_count()
    return File(
        path=f"day={day}/{name}",
        day=day,
        first=first,
        last=last,
        rows=pings.height,
        size=size,
        made_at=now,
        level=level,
        since=since,
        until=until,
        least_vin=str(vins.min()) if named else None,
        greatest_vin=str(vins.max()) if named else None,
    )


def _ends(times: pl.Series) -> tuple[float | None, float | None]:
    least, greatest = times.min(), times.max()
    if times.null_count() or times.is_nan().any():
        return None, None
    ends = float(least), float(greatest)  # type: ignore[arg-type] # a column of numbers without nulls
    # JSON has no infinities
    return ends if all(map(math.isfinite, ends)) else (None, None)


def read(path: Path) -> pl.DataFrame:
    """Read one file as it was written, numbers included."""
    # the folders' names would become columns
    return pl.read_parquet(path, hive_partitioning=False, glob=False)


def merged(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the pings of several files by vehicle and time; a column that a file lacks is empty in it."""
    every = pl.concat(frames, how="diagonal_relaxed")
    return with_lists(every, every.schema).sort("vin", "time", NUMBER)


def with_lists(pings: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return `pings` with empty lists instead of no list at all, as pings of older schemas have it."""
    lists = [name for name, dtype in columns.items() if isinstance(dtype, pl.List)]
    return pings.with_columns(pl.col(name).fill_null(pl.lit([], dtype=columns[name])) for name in lists)


def sync(path: Path) -> None:
    """Return when the content of a file is on disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
