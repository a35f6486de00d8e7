"""The recovery store of a job: made when missing, and locked so that two jobs never share it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

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
        # a bare descriptor: a file object would be closed, and the lock lost, with the last reference to it
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises StoreError when another job runs on this store."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"the recovery store {self._path.parent} is in use by process {holder}",
                "stop that job, or give this one a store of its own: [recovery] dir, FLEETFLOW_RECOVERY_DIR",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
