"""What a recovery store holds, read from its tables as Bytewax 0.21 writes them.

`exs` has a row per execution with the epoch it resumed from, `fronts` how far each of its workers came,
`snaps` the pickled state per step, key and epoch (null: the state was discarded). A resume takes, per step
and key, the newest state before the least frontier of the last execution.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetflow.errors import StoreError

FILE = "part-0.sqlite3"
"""The one file of a store: more than one cannot be copied consistently while a job runs."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job came: number of the last execution (-1: none), and the epoch a resume starts at.

    `frontier` is that epoch as this execution itself wrote it, None before its first epoch ended.
    """

    execution: int
    epoch: int
    frontier: int | None


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store's file for reading; SQLite's own errors become StoreError."""
    if not path.is_file():
        raise StoreError(f"there is no recovery store {path}", "correct the folder's name")
    try:
        with closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, timeout=5)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(
            f"the recovery store {path} cannot be read: {error}",
            "start from an earlier savepoint: `fleetflow list-snapshots`",
        ) from error


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def progress(connection: sqlite3.Connection) -> Progress:
    """Return how far the job of this store came."""
    row = connection.execute(
        "SELECT ex_num, worker_count, resume_epoch FROM exs ORDER BY ex_num DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return Progress(-1, 1, None)
    execution, workers, resumed = row
    count, frontier = connection.execute(
        "SELECT count(*), min(worker_frontier) FROM fronts WHERE ex_num = ?", (execution,)
    ).fetchone()
    if count < workers:
        # a worker that did not end its first epoch stands where it was resumed
        return Progress(execution, resumed, None)
    return Progress(execution, max(resumed, frontier), frontier)


def progress_of(folder: Path) -> Progress | None:
    """Return the progress of the store in `folder`, None while it cannot be read."""
    try:
        with reading(folder / FILE) as connection:
            return progress(connection)
    except StoreError:
        return None


def states(connection: sqlite3.Connection) -> Iterator[tuple[str, str, bytes]]:
    """Yield (step id, key, pickled state) as a resume would load them, in order."""
    epoch = progress(connection).epoch
    rows = connection.execute(
        "SELECT step_id, state_key, ser_change, max(snap_epoch) FROM snaps WHERE snap_epoch < ? "
        "GROUP BY step_id, state_key ORDER BY step_id, state_key",
        (epoch,),
    )
    for step, key, change, _ in rows:
        if change is not None:
            yield step, key, change
