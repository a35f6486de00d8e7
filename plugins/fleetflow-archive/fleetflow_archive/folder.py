"""The folder of one shard: its lock, its manifest, and what is put aside or no longer in use."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from fleetflow.errors import StoreError
from fleetflow_archive import files, manifest
from fleetflow_archive.files import NUMBER
from fleetflow_archive.manifest import File, Log

log = logging.getLogger(__name__)

ASIDE = "aside"
GRACE_S = 60.0
"""How long a file that is no longer in use stays for readers that know of it."""
POLL_S = 0.05
DAY_S = 86_400


def shard_folder(directory: Path, shard: str) -> Path:
    """Return the folder of a shard."""
    return directory / f"shard={shard}"


class ShardFolder:
    """One shard of the archive, held by one writer at a time.

    A crash at any moment leaves the manifest of before or after; files that no manifest names are removed
    when the folder is next opened.
    """

    def __init__(self, directory: Path, shard: str, wait_s: float) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = shard_folder(directory, shard)
        self.path.mkdir(exist_ok=True, mode=0o700)
        self._aside = directory / ASIDE
        self._shard = shard
        self._lock = (self.path / ".lock").open("w")
        try:
            self._wait(wait_s)
            self.manifest = manifest.load(self.path)
        except BaseException:
            self._lock.close()
            raise

    def _wait(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self.path} is in use by another process",
                        "stop the job that writes this archive, or set [archive] dir to another folder",
                    ) from None
                time.sleep(POLL_S)
            else:
                return

    def save(self, new: Iterable[File] = ()) -> None:
        """Make `new` files and the manifest durable, in this order."""
        paths = [self.path / file.path for file in new]
        for path in paths:
            files.sync(path)
        for folder in {path.parent for path in paths}:
            manifest.sync_folder(folder)
        manifest.save(self.path, self.manifest)

    def cut(self, one: Log, rows: int, run: str, now: float) -> None:
        """Shorten a log to `rows`; what it had after them is kept aside, not deleted."""
        beyond = [file for file in one.files if file.last >= rows]
        kept: list[File] = []
        if beyond:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            aside = self._aside / f"{stamp}-{self._shard}-{one.id}-{rows}-{run}"
            aside.mkdir(parents=True, exist_ok=True, mode=0o700)
            for file in beyond:
                # another suffix: programs that read all Parquet files of a folder do not find these
                target = aside / f"{file.day}_{Path(file.path).name}.aside"
                if file.first >= rows:
                    target.unlink(missing_ok=True)
                    os.link(self.path / file.path, target)
                else:
                    pings = files.read(self.path / file.path)
                    part = pings.filter(pings[NUMBER] < rows)
                    kept.append(files.write(self.path, file.day, run, file.level, part, file.made_at))
                    pings.filter(pings[NUMBER] >= rows).write_parquet(target, compression="zstd")
            log.info(
                "shard %s: the archive goes back to ping %d; %d files are kept in %s",
                self._shard,
                rows,
                len(beyond),
                aside,
            )
        one.files = [file for file in one.files if file.last < rows] + kept
        one.rows = rows
        self.save(kept)
        # whoever reads these as plain files must not find pings twice
        self._remove(file.path for file in beyond)

    def replace(self, one: Log, old: Iterable[File], new: Iterable[File], now: float) -> None:
        """Put `new` in the place of `old` files in the manifest; the caller saves it."""
        gone = {file.path for file in old}
        one.files = [file for file in one.files if file.path not in gone] + list(new)
        self.manifest.unused.extend((path, now) for path in gone)

    def sweep(self, now: float, grace_s: float = GRACE_S) -> None:
        """Remove files that have not been in use for a while. A crash in between leaves strays only."""
        due = [path for path, since in self.manifest.unused if not 0 <= now - since < grace_s]
        if due:
            self._remove(due)
            self.manifest.unused = [entry for entry in self.manifest.unused if entry[0] not in set(due)]

    def remove_strays(self) -> None:
        """Remove what an earlier writer left behind when it was killed."""
        known = {file.path for one in self.manifest.logs for file in one.files}
        known |= {path for path, _ in self.manifest.unused}
        for path in self.path.glob("day=*/*"):
            if str(path.relative_to(self.path)) not in known:
                path.unlink(missing_ok=True)

    def forget_aside(self, now: float, days: int) -> None:
        """Delete what was put aside more than `days` ago; 0 keeps it for ever."""
        if days and self._aside.is_dir():
            for folder in self._aside.glob(f"*-{self._shard}-*"):
                if folder.stat().st_mtime < now - days * DAY_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            target = self.path / path
            target.unlink(missing_ok=True)
            try:
                target.parent.rmdir()
            except OSError:
                # other files of the day are still there
                continue

    def close(self) -> None:
        """Let the next writer in."""
        self._lock.close()
