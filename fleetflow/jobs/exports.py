"""Savepoints of jobs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fleetflow.jobs.places import Places
from fleetflow.jobs.running import LOOK_S, past, stop
from fleetflow.savepoints import savepoint, store
from fleetflow.savepoints.savepoint import Savepoint


def save(places: Places, name: str, savepoint_name: str, cancelling: bool) -> Savepoint:
    """Take a savepoint of a job, running or not; with `cancelling` after its clean end."""
    job = places.job(name)
    with job.commanded():
        target = places.savepoints / savepoint_name
        if not savepoint.NAME.fullmatch(savepoint_name) or target.exists():
            raise savepoint.SavepointError(
                f'"{savepoint_name}" is taken, or cannot name a savepoint', "choose another name"
            )
        if cancelling:
            stop(job, "cancelled", places.timeout_s)
        deadline = time.monotonic() + places.timeout_s
        while job.supervisor() is not None:
            reached = store.progress_of(job.store)
            if reached is not None and reached.epoch > 1:
                break
            past(deadline, job, "past its first snapshot", places.timeout_s)
            time.sleep(LOOK_S)
        return savepoint.take(job.store, target, name, job.read().description)


def savepoints_in(folder: Path) -> list[dict[str, Any]]:
    """Return name, job, time, size and state of every savepoint; a damaged manifest is said, not raised."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or not (path / savepoint.MANIFEST).is_file():
            continue
        row: dict[str, Any] = {"name": path.name, "job": "", "created_at": None, "problem": ""}
        row["bytes"] = sum(file.stat().st_size for file in path.iterdir())
        try:
            manifest = savepoint.read_manifest(path)
            schema = manifest["job"]["schema"]
            row |= {
                "job": manifest["job_name"],
                "created_at": manifest["created_at"],
                "schema": f"{schema['name']} {schema['version']}",
            }
        except savepoint.SavepointError as error:
            row["problem"] = error.message
        found.append(row)
    return found
