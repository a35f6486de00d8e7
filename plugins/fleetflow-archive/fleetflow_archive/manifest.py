"""What a shard holds: its logs and their files, in one JSON file that is replaced at once.

A log is the pings of one shard in order of arrival, numbered from 0. Its files hold the numbers in a column
of their own, so that they can be merged and sorted at will and the log can still be cut at any number: the
recovery store needs to know only how long the log was.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from fleetflow.errors import StoreError

FILE = "manifest.json"
LAYOUT = 1


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: pings of one UTC day, with numbers from `first` to `last`, not all of them.

    `path` starts from the shard's folder. Times are in seconds since 1970; `since`, `until` and the VINs are
    None when a ping has none, so that the file cannot be left out of any question. `level` counts how
    often its pings were merged, `made_at` is when by the clock.
    """

    path: str
    day: str
    first: int
    last: int
    rows: int
    size: int
    made_at: float
    level: int = 0
    since: float | None = None
    until: float | None = None
    least_vin: str | None = None
    greatest_vin: str | None = None

    def may_hold(self, since: float, until: float, vin: str | None = None) -> bool:
        """Whether pings of `vin` (None: of any) with `since` <= time <= `until` may be in it."""
        if self.since is not None and self.until is not None and (self.since > until or self.until < since):
            return False
        if vin is None or self.least_vin is None or self.greatest_vin is None:
            return True
        return self.least_vin <= vin <= self.greatest_vin


class Run(msgspec.Struct, frozen=True):
    """A stretch of a log that was written without going back: from number `start` to the next run's."""

    id: str
    start: int


class Log(msgspec.Struct, kw_only=True):
    """The pings of one shard since a job started with nothing; `rows` is its length.

    `shards` is the number of shards of that job. `rows` counts pings that were deleted for their age too.
    """

    id: str
    shards: int
    rows: int = 0
    runs: list[Run] = msgspec.field(default_factory=list)
    files: list[File] = msgspec.field(default_factory=list)

    def end_of(self, run: str) -> int | None:
        """Return the number after the last ping of `run`, None when the log has no such run."""
        for index, one in enumerate(self.runs):
            if one.id == run:
                return self.runs[index + 1].start if index + 1 < len(self.runs) else self.rows
        return None


class Manifest(msgspec.Struct, kw_only=True):
    """All logs of a shard, the oldest first, and files that are no longer in use: (path, since when).

    Such a file stays for a while: a reader may just have been told of it.
    """

    v: int = LAYOUT
    logs: list[Log] = msgspec.field(default_factory=list)
    unused: list[tuple[str, float]] = msgspec.field(default_factory=list)

    def log(self, id: str) -> Log | None:
        """Return the log of that name, None when there is none."""
        return next((log for log in self.logs if log.id == id), None)


def load(folder: Path) -> Manifest:
    """Read the manifest of a shard's folder; one that is not there is empty.

    Raises StoreError when it is damaged or of a newer layout.
    """
    path = folder / FILE
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    try:
        version = _VERSION.decode(text).v
        if version > LAYOUT:
            raise StoreError(
                f"{path} has layout version {version}, this fleetflow-archive knows versions up to {LAYOUT}",
                "use the fleetflow-archive that wrote it, or a newer one",
            )
        return _MANIFEST.decode(text)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"{path} cannot be read: {error}", f"move {folder} away to start with an empty archive"
        ) from error


def save(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest; when this returns it is on disk."""
    new = folder / f"{FILE}.new"
    with new.open("wb") as file:
        file.write(msgspec.json.encode(manifest))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / FILE)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class _Version(msgspec.Struct):
    v: int


# made once, at import: two threads that begin to decode into one class at the same time crash msgspec
_VERSION = msgspec.json.Decoder(_Version)
_MANIFEST = msgspec.json.Decoder(Manifest)
