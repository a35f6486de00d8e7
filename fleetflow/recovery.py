"""The recovery store of a job: made when missing, and locked so that two jobs never share it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from bytewax.recovery import init_db_dir

from fleetflow.errors import StoreError

PARTITIONS = 1
"""One file: a copy of several, made while a job runs, can be torn between them."""


def ensure_store(folder: Path) -> None:
    """Make an empty recovery store in `folder` unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("part-*.sqlite3")):
        init_db_dir(folder, PARTITIONS)  # type: ignore[no-untyped-call] # Bytewax ships no types for it


class StoreLock:
    """Holds a recovery store for one job. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock; raises StoreError when another job runs on this store."""
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise StoreError(
                f"the recovery store {self._path.parent} is in use by process {holder}",
                "stop that job, or give this one a store of its own: [recovery] dir, FLEETFLOW_RECOVERY_DIR",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let go of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
