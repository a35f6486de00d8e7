"""The job's way into the archive."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl

from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow_archive import files, upkeep
from fleetflow_archive.files import NUMBER
from fleetflow_archive.folder import ShardFolder
from fleetflow_archive.manifest import File
from fleetflow_archive.resuming import resume, state_of
from fleetflow_archive.settings import ArchiveSettings

log = logging.getLogger(__name__)

CLEANING_S = 600.0
"""How often files are looked through for old ones."""


class ArchiveSink:
    """Archives every valid ping exactly once, whatever is killed, replayed or spread anew.

    A snapshot writes what came since the last one to files and returns how long the shard's log is then. On
    a resume the log is cut to the length in the recovery store before anything is written again. Readers see
    pings from the snapshot after their arrival on.
    """

    name = "archive"
    role: Literal["recorder"] = "recorder"

    def __init__(
        self, directory: Path, shards: int, settings: ArchiveSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._shards = shards
        self._settings = settings
        self._clock = clock

    def open(self, shard: str, state: Any | None) -> ArchiveShard:
        """Open one shard where `state` left it; None begins a new log beside what is there."""
        return ArchiveShard(self._directory, shard, self._shards, self._settings, self._clock, state)


class ArchiveShard:
    """See `ArchiveSink`."""

    def __init__(
        self,
        directory: Path,
        shard: str,
        shards: int,
        settings: ArchiveSettings,
        clock: Callable[[], float],
        state: Mapping[str, Any] | None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._folder = ShardFolder(directory, shard, settings.lock_wait_s)
        try:
            resumption = resume(self._folder.manifest, state, shards, secrets.token_hex(6))
            if resumption.warning:
                log.warning("archive, shard %s in %s: %s", shard, directory, resumption.warning)
            self._log = resumption.log
            self._run = self._log.runs[-1].id
            if resumption.rows < self._log.rows:
                self._folder.cut(self._log, resumption.rows, self._run, clock())
            else:
                self._folder.save()
            self._folder.remove_strays()
        except BaseException:
            self._folder.close()
            raise
        self._buffer: list[pl.DataFrame] = []
        self._buffered = 0
        self._written: list[File] = []
        self._next = self._log.rows
        self._clean_at = 0.0

    def write(self, batch: ShardBatch, settled: Mapping[str, Counts]) -> Mapping[str, Counts]:
        """Take the pings of a batch; they are in memory, or in files no reader knows, until `snapshot`."""
        if batch.pings.height:
            self._buffer.append(batch.pings)
            self._buffered += batch.pings.height
            if self._buffered >= self._settings.roll_rows:
                self._flush()
        return {}

    def _flush(self) -> None:
        if not self._buffered:
            return
        pings = pl.concat(self._buffer).with_row_index(NUMBER, offset=self._next).cast({NUMBER: pl.Int64})
        now = self._clock()
        for day, part in files.by_day(pings):
            self._written.append(files.write(self._folder.path, day, self._run, 0, part, now))
        self._next += pings.height
        self._buffer, self._buffered = [], 0

    def snapshot(self) -> dict[str, Any]:
        """Make everything that was written durable and known to readers; return the log's length."""
        self._flush()
        now = self._clock()
        new = self._written
        self._log.files.extend(new)
        self._log.rows, self._written = self._next, []
        merged = self._upkeep(now) if new or now >= self._clean_at else []
        if new or merged or now >= self._clean_at:
            gone = {path for path, _ in self._folder.manifest.unused}
            self._folder.save(file for file in (*new, *merged) if file.path not in gone)
            self._clean_at = now + CLEANING_S
        return state_of(self._log)

    def _upkeep(self, now: float) -> list[File]:
        folder, settings = self._folder, self._settings
        merged: list[File] = []
        rows = 0
        for group in upkeep.to_merge(self._log, settings.roll_rows, now):
            merged.append(upkeep.merge(folder, self._log, group, self._run, now))
            rows += merged[-1].rows
            if rows >= settings.roll_rows:
                # the rest waits for the next snapshot: the flow stands still meanwhile
                break
        for one in folder.manifest.logs:
            folder.replace(one, upkeep.expired(one, settings.keep_days, now), (), now)
        folder.sweep(now)
        folder.forget_aside(now, settings.aside_days)
        return merged

    def close(self) -> None:
        """Let go of the folder. What came after the last snapshot is forgotten: a resume brings it again."""
        self._folder.close()
