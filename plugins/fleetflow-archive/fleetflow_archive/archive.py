"""Reading the archive, from any process, while the job writes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from fleetflow.contracts.vehicles import Record
from fleetflow.dataflow.conflation import newest
from fleetflow.dataflow.shaping import EXTRA_COLUMNS
from fleetflow.dataflow.sharding import shard_name, shard_of
from fleetflow.errors import StoreError
from fleetflow_archive import manifest
from fleetflow_archive.files import NUMBER, with_lists
from fleetflow_archive.folder import ASIDE
from fleetflow_archive.manifest import File, Manifest

log = logging.getLogger(__name__)

ATTEMPTS = 5
CHUNK_ROWS = 2_000_000
"""Rows that are read at once when all vehicles are asked for."""
ORDER = ("time", "sequence", "source", "vin")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a log, as readers find it."""

    log: str
    path: Path
    file: File


class Archive:
    """Every valid ping that was archived (`fleetflow.contracts.history.History`), in a directory.

    A directory that does not exist yet is an empty archive. Each shard is read as of its last snapshot.
    A ping that was read by several jobs, because one started anew with the same input, is returned as
    often as the job returns it that has it most often: once, where the input has it once.
    """

    def __init__(
        self, directory: Path, columns: Mapping[str, pl.DataType], schema_version: int | None = None
    ) -> None:
        """Look at `directory`; `columns` are those of the ping schema in use."""
        self.directory = directory
        self._columns = {**columns, **EXTRA_COLUMNS}
        self._version = schema_version

    def trail(self, vin: str, since: float, until: float, limit: int = 10_000) -> pl.DataFrame:
        """Return the newest `limit` pings of `vin` with `since` <= time <= `until`, by time."""

        def read() -> pl.DataFrame:
            parts = self.parts(since, until, vin)
            return self._read(parts, (pl.col("vin") == vin) & pl.col("time").is_between(since, until))

        pings = _by_time(_each_once(self._again(read)))
        return pings.tail(limit).select(list(self._columns))

    def between(self, since: float, until: float) -> pl.DataFrame:
        """Return the pings of all vehicles with `since` <= time <= `until`, by time."""

        def read() -> pl.DataFrame:
            return self._read(self.parts(since, until), pl.col("time").is_between(since, until))

        return _by_time(_each_once(self._again(read))).select(list(self._columns))

    def at(self, time: float) -> Iterator[Record]:
        """Yield per VIN, in order, the newest ping with a time up to `time`: the fleet as it was then.

        The records have the ping's fields, `source`, `received_at` and `schema_version`, which is that of
        the schema in use whatever the ping came with.
        """
        for record in self.fleet(time).iter_rows(named=True):
            yield record if self._version is None else {**record, "schema_version": self._version}

    def fleet(self, time: float) -> pl.DataFrame:
        """Return what `at` yields as columns."""

        def read() -> pl.DataFrame:
            latest = pl.DataFrame(schema=self._columns)
            for chunk in _chunks(self.parts(float("-inf"), time)):
                pings = self._read(chunk, pl.col("time") <= time).select(list(self._columns))
                latest = newest(pl.concat([latest, newest(pings)]))
            return latest

        return self._again(read).sort("vin")

    def parts(self, since: float, until: float, vin: str | None = None) -> list[Part]:
        """Return the files that may hold pings of `vin` (None: of any) from a stretch of time."""
        found: list[Part] = []
        for shard, content in self.manifests().items():
            folder = self.directory / f"shard={shard}"
            for one in content.logs:
                if vin is not None and shard_name(shard_of(vin, one.shards)) != shard:
                    continue
                found.extend(
                    Part(one.id, folder / file.path, file)
                    for file in one.files
                    if file.may_hold(since, until, vin)
                )
        return found

    def manifests(self) -> dict[str, Manifest]:
        """Return the manifests of all shards by the shard's name."""
        folders = sorted(self.directory.glob("shard=*"))
        return {folder.name.partition("=")[2]: manifest.load(folder) for folder in folders}

    def aside(self) -> list[Path]:
        """Return the files with pings that a start from an older position undid."""
        return sorted((self.directory / ASIDE).glob("*/*.aside"))

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self, parts: Sequence[Part], condition: pl.Expr) -> pl.DataFrame:
        """Return pings with the number and the log that each has; missing columns are filled."""
        schema: dict[str, pl.DataType] = {NUMBER: pl.Int64(), **self._columns}
        frames = [pl.DataFrame(schema={**schema, "_log": pl.String()})]
        logs: dict[str, list[Path]] = {}
        for part in parts:
            logs.setdefault(part.log, []).append(part.path)
        for name, paths in logs.items():
            pings = pl.scan_parquet(
                paths,
                schema=schema,
                missing_columns="insert",
                extra_columns="ignore",
                hive_partitioning=False,
                glob=False,
            )
            found = pings.filter(condition).collect()
            frames.append(with_lists(found, schema).with_columns(pl.lit(name).alias("_log")))
        return pl.concat(frames)

    def _again(self, read: Callable[[], T]) -> T:
        """Read once more when the job has replaced a file after the manifest was read."""
        for attempt in range(ATTEMPTS):
            try:
                return read()
            except FileNotFoundError as error:
                log.debug("attempt %d: %s", attempt, error)
                missing = error
            except pl.exceptions.PolarsError as error:
                raise StoreError(
                    f"the archive in {self.directory} cannot be read: {error}",
                    "a damaged file can be moved away; its pings are then missing",
                ) from error
        raise StoreError(
            f"a file of the archive in {self.directory} is missing: {missing}",
            "put it back, or run `fleetflow archive compact --forget-missing` while no job runs",
        )


def _chunks(parts: Sequence[Part]) -> Iterator[list[Part]]:
    chunk: list[Part] = []
    rows = 0
    for part in parts:
        chunk.append(part)
        rows += part.file.rows
        if rows >= CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk


def _each_once(pings: pl.DataFrame) -> pl.DataFrame:
    """Return each ping as often as the log that has it most often."""
    if pings["_log"].n_unique() < 2:
        return pings
    same = [name for name in pings.columns if name not in {NUMBER, "_log", "received_at"}]
    keyed = pings.sort("_log", NUMBER).with_columns(pl.struct(same).struct.json_encode().alias("_key"))
    nth = keyed.with_columns(pl.int_range(pl.len()).over("_key", "_log").alias("_nth"))
    return nth.unique(["_key", "_nth"], keep="first", maintain_order=True).drop("_key", "_nth")


def _by_time(pings: pl.DataFrame) -> pl.DataFrame:
    return pings.sort([*ORDER, "_log", NUMBER])
