"""Merging and sorting a whole archive while no job writes to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from fleetflow_archive import upkeep
from fleetflow_archive.folder import ShardFolder
from fleetflow_archive.manifest import File, Log
from fleetflow_archive.settings import ArchiveSettings

LARGE = 8
"""Full files that one sorted file may hold the pings of."""


def compact(
    directory: Path,
    settings: ArchiveSettings,
    forget_missing: bool = False,
    clock: Callable[[], float] = time.time,
) -> tuple[int, int]:
    """Merge the files of each day; returns how many there were and are.

    Raises StoreError when a job writes to the archive. A kill leaves each shard as it was or as it will be.
    """
    before = after = 0
    for path in sorted(directory.glob("shard=*")):
        folder = ShardFolder(directory, path.name.partition("=")[2], settings.lock_wait_s)
        try:
            now = clock()
            folder.remove_strays()
            before += sum(len(log.files) for log in folder.manifest.logs)
            merged: list[File] = []
            for log in folder.manifest.logs:
                if forget_missing:
                    log.files = [file for file in log.files if (folder.path / file.path).exists()]
                folder.replace(log, upkeep.expired(log, settings.keep_days, now), (), now)
                merged += [
                    upkeep.merge(folder, log, group, log.runs[-1].id, now)
                    for group in _groups(log, settings.roll_rows)
                ]
            folder.save(merged)
            folder.sweep(now, grace_s=0)
            folder.save()
            after += sum(len(log.files) for log in folder.manifest.logs)
        finally:
            folder.close()
    return before, after


def _groups(log: Log, full_rows: int) -> list[list[File]]:
    """Return files of one day each to become one: all that are unsorted or could be larger."""
    found: list[list[File]] = []
    for _, files in groupby(
        sorted(log.files, key=lambda file: (file.day, file.first)), lambda file: file.day
    ):
        group: list[File] = []
        rows = 0
        for file in files:
            if file.level and file.rows >= LARGE * full_rows:
                continue
            if group and rows + file.rows > LARGE * full_rows:
                found.append(group)
                group, rows = [], 0
            group.append(file)
            rows += file.rows
        found.append(group)
    return [group for group in found if len(group) > 1 or (group and not group[0].level)]
