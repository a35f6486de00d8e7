"""What the commands do to jobs. Each waits for the state it asked for, until a deadline."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fleetflow.jobs.admission import asked, checked, install, prepared
from fleetflow.jobs.exports import savepoints_in
from fleetflow.jobs.model import ALIVE, Job, Spec, job_of
from fleetflow.jobs.places import Places
from fleetflow.jobs.running import alone, replace_store, require, start, stop
from fleetflow.savepoints import savepoint
from fleetflow.savepoints.check import Finding

ENDED = frozenset({"completed", "failed", "cancelled", "suspended", "interrupted"})


def submit(
    places: Places,
    spec: Spec,
    package: Path | None,
    start_from: str | None,
    accept_lossy: bool = False,
) -> list[Finding]:
    """Install, check and start a job; returns what the check found.

    Whatever is refused is refused before the job is made. A job of this name that was cancelled, failed or
    completed is replaced; its savepoints stay.
    """
    job = job_of(places.jobs, spec.name)
    new = not job.exists()
    with job.commanded():
        release = 0
        try:
            if not new:
                require(job, {"cancelled", "failed", "completed"}, "submitted again")
                release = max([job.read().release, *(old["release"] for old in job.read().history)])
                spec.run = job.read().run
            if package is not None:
                spec.release = release + 1
                spec.package = str(package.absolute())
                install(job, spec, package)
            spec.description = asked(job, spec, places.timeout_s)
            findings: list[Finding] = []
            if start_from is not None:
                verified = savepoint.verify(places.savepoint(start_from), spec.description["flow"])
                findings = checked(verified, spec.description, accept_lossy)
            alone(job, spec)
        except BaseException:
            if new:
                shutil.rmtree(job.folder, ignore_errors=True)
            elif spec.release > release:
                shutil.rmtree(job.site(spec.release), ignore_errors=True)
            raise
        _ignored_by_git(places.jobs)
        spec.started_from = start_from or ""
        replace_store(job, verified if start_from is not None else None)
        start(job, spec, places.timeout_s)
    return findings


def forgotten(places: Places, name: str) -> str:
    """Return a warning when submitting `name` without a savepoint would forget how far it had read; or ""."""
    job = job_of(places.jobs, name)
    if not job.exists() or job.truth()["state"] not in {"cancelled", "failed", "completed"}:
        return ""
    own = [row for row in savepoints_in(places.savepoints) if row["job"] == name and not row["problem"]]
    way = (
        f"to go on where it was: fleetflow submit -n {name} -s {max(own, key=_taken)['name']}"
        if own
        else f"it has no savepoint; take one next time: fleetflow save-snapshot -C {name} NAME"
    )
    return f'"{name}" starts from the beginning of its inputs, not from where it ended; {way}'


def _taken(row: Mapping[str, Any]) -> float:
    return float(row["created_at"])


def suspend(places: Places, name: str) -> None:
    """End a job's processes; `resume` goes on exactly there."""
    job = places.job(name)
    with job.commanded():
        require(job, {*ALIVE, "suspended", "interrupted"}, "suspended")
        stop(job, "suspended", places.timeout_s)


def cancel(places: Places, name: str) -> None:
    """End a job for good: it can only be submitted again."""
    job = places.job(name)
    with job.commanded():
        stop(job, "cancelled", places.timeout_s)


def resume(
    places: Places, name: str, workers: int | None, processes: int | None, accept_lossy: bool = False
) -> None:
    """Start a job that is not running, where it ended, on as many workers and processes as asked for."""
    job = places.job(name)
    with job.commanded():
        require(job, {"suspended", "interrupted", "failed", "completed"}, "resumed")
        spec = prepared(places, job, accept_lossy)
        spec.workers = workers or spec.workers
        spec.processes = processes or spec.processes
        start(job, spec, places.timeout_s)


def restart(places: Places, name: str, accept_lossy: bool = False) -> None:
    """End a job cleanly and start it again where it ended; what cannot start again is not ended."""
    job = places.job(name)
    with job.commanded():
        require(job, {*ALIVE, "suspended", "interrupted", "failed", "completed"}, "restarted")
        spec = prepared(places, job, accept_lossy)
        stop(job, "suspended", places.timeout_s)
        start(job, spec, places.timeout_s)


def _ignored_by_git(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def follow(job: Job, lines: int, following: bool, out: Callable[[str], None]) -> None:
    """Hand out the last `lines` of a job's log; with `following` also what comes, until the job ends."""
    if not job.log.exists() and not following:
        return
    position, inode = 0, 0
    if job.log.exists():
        with job.log.open("rb") as file:
            data = file.read()
            position, inode = len(data), os.fstat(file.fileno()).st_ino
        for line in data.decode("utf-8", "replace").splitlines()[-lines:]:
            out(line)
    while following:
        over = job.truth()["state"] in ENDED
        try:
            with job.log.open("rb") as file:
                if os.fstat(file.fileno()).st_ino != inode:
                    position, inode = 0, os.fstat(file.fileno()).st_ino
                file.seek(position)
                data = file.read()
        except FileNotFoundError:
            data = b""
        whole = data[: data.rfind(b"\n") + 1]
        position += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            out(line)
        if over:
            return
        time.sleep(0.2)


def name_for(package: Path | None) -> str:
    """Return the name of a job that was given none."""
    stem = re.sub(r"[^a-z0-9_-]+", "-", package.stem.lower()).strip("-") if package else ""
    return stem or "fleetflow"
