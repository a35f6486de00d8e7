"""From a saved state to the log that it belongs to. Decides only; touches no file.

The state in the recovery store is `{"v": 1, "log": id, "run": id, "rows": n}`. It may be that of the last
snapshot, or of a savepoint that was taken long ago, or of another job that was started from the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetflow_archive.manifest import Log, Manifest, Run

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Resumption:
    """How to go on: `log` from `rows` on. Pings with higher numbers are to be put aside.

    `warning` says what a person should know, empty when all is as it was left.
    """

    log: Log
    rows: int
    warning: str = ""


def resume(manifest: Manifest, state: Mapping[str, Any] | None, shards: int, new_id: str) -> Resumption:
    """Return how to go on from `state`; `new_id` names a log or a run that may begin.

    None begins a new log: what older logs hold stays. A log that another job went on with in a different way
    since the state was saved is left to that job, and a new one begins.
    """
    if state is None:
        # logs to which nothing was ever written are of no use to anybody
        manifest.logs = [log for log in manifest.logs if log.rows or log.files]
        return Resumption(_begin(manifest, new_id, shards, 0), 0)
    rows, run = int(state["rows"]), str(state["run"])
    log = manifest.log(str(state["log"]))
    if log is None:
        missing = f"{rows} pings that were archived before are not here" if rows else ""
        log = Log(id=str(state["log"]), shards=shards, rows=rows, runs=[Run(run, 0)])
        manifest.logs.append(log)
        return Resumption(log, rows, missing)
    end = log.end_of(run)
    if end is None or rows > end:
        return Resumption(
            _begin(manifest, new_id, shards, 0),
            0,
            "another job was started from an older position and has changed the archive since: "
            "what this job had written after that position was put aside then",
        )
    if rows < log.rows:
        # the numbers from here on are given once more, to other pings perhaps
        while log.runs[-1].start >= rows and log.runs[-1].id != run:
            log.runs.pop()
        log.runs.append(Run(new_id, rows))
    return Resumption(log, rows)


def _begin(manifest: Manifest, new_id: str, shards: int, rows: int) -> Log:
    log = Log(id=new_id, shards=shards, rows=rows, runs=[Run(new_id, rows)])
    manifest.logs.append(log)
    return log


def state_of(log: Log) -> dict[str, Any]:
    """Return what to save so that `resume` finds the way back to this moment."""
    return {"v": STATE_VERSION, "log": log.id, "run": log.runs[-1].id, "rows": log.rows}
