"""Merging small files, and deleting old ones. Decides which; `ShardFolder` makes it happen at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fleetflow_archive import files
from fleetflow_archive.files import UNKNOWN
from fleetflow_archive.folder import ShardFolder
from fleetflow_archive.manifest import File, Log

FAN_IN = 8
"""Small files of one day and level that become one of the next: a ping is rewritten a few times at most."""
SETTLED_S = 3600.0
"""Small files of a day that is over are merged into one when none came for this long."""


def to_merge(log: Log, full_rows: int, now: float) -> Iterator[list[File]]:
    """Yield groups of small files of one day each, to become one file per group, the most urgent first.

    A file with `full_rows` pings or more is left alone. Of a day that is still being written the files are
    merged level by level, so that the work per ping grows with the logarithm of the number of files.
    """
    small: dict[str, dict[int, list[File]]] = {}
    for file in log.files:
        if file.rows < full_rows:
            small.setdefault(file.day, {}).setdefault(file.level, []).append(file)
    newest = max((day for day in small if day != UNKNOWN), default="")
    for levels in small.values():
        for group in levels.values():
            if len(group) >= FAN_IN:
                yield sorted(group, key=lambda file: file.first)[:FAN_IN]
    for day, levels in small.items():
        rest = [file for group in levels.values() for file in group]
        settled = all(now - file.made_at > SETTLED_S for file in rest)
        if len(rest) > 1 and day != newest and settled and all(len(g) < FAN_IN for g in levels.values()):
            yield rest


def merge(folder: ShardFolder, log: Log, group: list[File], run: str, now: float) -> File:
    """Write the pings of `group` as one file and put it in their place; the caller saves the manifest."""
    frames = [files.read(folder.path / file.path) for file in group]
    level = max(file.level for file in group) + 1
    one = files.write(folder.path, group[0].day, run, level, files.merged(frames), now)
    folder.replace(log, group, [one], now)
    return one


def expired(log: Log, keep_days: int, now: float) -> list[File]:
    """Return the files of days that need not be kept; a file of an unknown day is kept."""
    if not keep_days:
        return []
    oldest = (datetime.fromtimestamp(now, UTC).date() - timedelta(days=keep_days)).isoformat()
    return [file for file in log.files if file.day != UNKNOWN and file.day < oldest]
