"""The recovery store of a job: made when missing, and locked so that two jobs never share it.

The ledger is locked in the same way: the account of two jobs in one would be right for neither.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bytewax.recovery import init_db_dir

from fleetflow.errors import StoreError

LOCK = ".lock"
PARTITIONS = 1
"""One file: a copy of several, made while a job runs, can be torn between them."""


def ensure_store(folder: Path) -> None:
    """Make an empty recovery store in `folder` unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("part-*.sqlite3")):
        init_db_dir(folder, PARTITIONS)  # type: ignore[no-untyped-call] # Bytewax ships no types for it


class StoreLock:
    """Holds a store for one job. The kernel lets go of it when the process ends, however it ends.

    `what` names the store in words, `table` is the table of settings that has its `dir`.
    """

    def __init__(self, folder: Path, what: str = "recovery store", table: str = "recovery") -> None:
        self._path = folder / LOCK
        self._what, self._table = what, table
        # a bare descriptor: a file object would be closed, and the lock lost, with the last reference to it
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises StoreError when another job runs on this store."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"the {self._what} {self._path.parent} is in use by process {holder}",
                f"stop that job, or give this one a {self._what} of its own: "
                f"[{self._table}] dir, FLEETFLOW_{self._table.upper()}_DIR",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder_of(folder: Path) -> int | None:
    """Return the process that holds a store (0: it cannot be named), None when nobody does.

    Read from the kernel's list (proc(5), /proc/locks): to try the lock would take it for a moment, and a
    job that starts in this moment would be refused.
    """
    lock = folder / LOCK
    try:
        inode = lock.stat().st_ino
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
                text = lock.read_text("ascii", "replace").strip()
                return int(text) if text.isdigit() else 0
    except OSError:
        return None
    return None
