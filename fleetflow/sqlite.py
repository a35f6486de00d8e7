"""Opening a SQLite store: private to its user, of a known layout version, shared by threads and processes."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetflow.errors import StoreError

BUSY_S = 60.0
"""How long a writer waits for others before it gives up."""


def connect(path: Path, layout: int, script: str) -> sqlite3.Connection:
    """Open `path` for reading and writing; make it with `script` when it is new.

    The folder is readable by its user only. Raises StoreError for a store of a newer layout, or one that
    is not a SQLite database.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # switching a new database to WAL does not wait for others who do the same: one at a time
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _connect(path, layout, script)


def _connect(path: Path, layout: int, script: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        check_layout(connection, path, layout)
        with transaction(connection):
            if connection.execute("pragma user_version").fetchone()[0] == 0:
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {layout}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(
            f"{path} cannot be used: {error}", "move the file away to start with an empty one"
        ) from error
    except StoreError:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, layout: int) -> sqlite3.Connection | None:
    """Open `path` for reading only; None when it does not exist yet."""
    if not path.is_file():
        return None
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        version = check_layout(connection, path, layout)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} cannot be read: {error}", "is it a store of fleetflow?") from error
    except StoreError:
        connection.close()
        raise
    if version == 0:
        # another process is just making it
        connection.close()
        return None
    return connection


def check_layout(connection: sqlite3.Connection, path: Path, layout: int) -> int:
    """Return the layout version, raising StoreError when it is newer than `layout`."""
    version = int(connection.execute("pragma user_version").fetchone()[0])
    if version > layout:
        raise StoreError(
            f"{path} has layout version {version}, this fleetflow knows versions up to {layout}",
            "use the fleetflow that wrote it, or a newer one",
        )
    return version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything inside or nothing; waits for other writers first, so that it cannot fail half-way."""
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
