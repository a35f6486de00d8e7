"""Merging and sorting a whole archive while no job writes to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations, groupby
from pathlib import Path

import polars as pl

from fleetflow_archive import files, upkeep
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

    A day of a log is given up when a newer log has all its pings, because a job started anew and read them
    again: readers are given the same as before.
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
            for log, newer in combinations(folder.manifest.logs, 2):
                for day in {file.day for file in log.files} & {file.day for file in newer.files}:
                    if _covered(folder, _of_day(log, day), _of_day(newer, day)):
                        folder.replace(log, _of_day(log, day), (), now)
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
    for _, of_day in groupby(
        sorted(log.files, key=lambda file: (file.day, file.first)), lambda file: file.day
    ):
        group: list[File] = []
        rows = 0
        for file in of_day:
            if file.level and file.rows >= LARGE * full_rows:
                continue
            if group and rows + file.rows > LARGE * full_rows:
                found.append(group)
                group, rows = [], 0
            group.append(file)
            rows += file.rows
        found.append(group)
    return [group for group in found if len(group) > 1 or (group and not group[0].level)]


def _of_day(log: Log, day: str) -> list[File]:
    return [file for file in log.files if file.day == day]


def _covered(folder: ShardFolder, old: list[File], new: list[File]) -> bool:
    """Whether each ping of `old` is in `new` as often or more."""
    if sum(file.rows for file in old) > sum(file.rows for file in new):
        return False
    before, after = (
        files.merged([files.read(folder.path / file.path) for file in part]) for part in (old, new)
    )
    same = [name for name in before.columns if name not in {files.NUMBER, "received_at"}]
    if not set(same) <= set(after.columns):
        return False
    keys = [
        part.select(pl.struct(same).struct.json_encode().alias("ping")).group_by("ping").len()
        for part in (before, after)
    ]
    both = keys[0].join(keys[1], on="ping", how="left")
    return bool((both["len"] <= both["len_right"].fill_null(0)).all())
