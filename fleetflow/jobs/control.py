"""What the commands do to jobs. Each waits for the state it asked for, until a deadline."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetflow.errors import PluginError
from fleetflow.jobs import package as packages
from fleetflow.jobs.model import (
    ALIVE,
    DeadlineError,
    FailedError,
    Job,
    JobError,
    NoSuchJobError,
    RefusedError,
    Spec,
    job_of,
    jobs_in,
    write_json,
)
from fleetflow.jobs.surroundings import whole_environment_of
from fleetflow.recovery import StoreLock, ensure_store
from fleetflow.savepoints import check, description, savepoint, store
from fleetflow.savepoints.check import Finding
from fleetflow.savepoints.savepoint import Savepoint

LOOK_S = 0.05
ENDED = frozenset({"completed", "failed", "cancelled", "suspended", "interrupted"})


@dataclass(frozen=True, slots=True)
class Places:
    """Where jobs and savepoints are, and how long a command waits for the state it asked for."""

    jobs: Path
    savepoints: Path
    timeout_s: float

    def job(self, name: str) -> Job:
        """Return an existing job; raises NoSuchJobError."""
        job = job_of(self.jobs, name)
        if not job.exists():
            known = ", ".join(each.name for each in jobs_in(self.jobs)) or "none"
            raise NoSuchJobError(f'there is no job "{name}"', f"known: {known}")
        return job

    def savepoint(self, name: str) -> Path:
        """Return the folder of a savepoint, by name or by path."""
        return Path(name).absolute() if "/" in name else self.savepoints / name


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
                _require(job, {"cancelled", "failed", "completed"}, "submitted again")
                release = max([job.read().release, *(old["release"] for old in job.read().history)])
                spec.run = job.read().run
            if package is not None:
                spec.release = release + 1
                spec.package = str(package.absolute())
                _install(job, spec, package)
            spec.description = _asked(job, spec, places.timeout_s)
            findings: list[Finding] = []
            if start_from is not None:
                verified = savepoint.verify(places.savepoint(start_from), spec.description["flow"])
                findings = checked(verified, spec.description, accept_lossy)
        except BaseException:
            if new:
                shutil.rmtree(job.folder, ignore_errors=True)
            elif spec.release > release:
                shutil.rmtree(job.site(spec.release), ignore_errors=True)
            raise
        _ignored_by_git(places.jobs)
        _replace_store(job, verified if start_from is not None else None)
        start(job, spec, places.timeout_s)
    return findings


def checked(verified: Savepoint, new: Mapping[str, Any], accept_lossy: bool) -> list[Finding]:
    """Return the findings of a start from `verified`; raises RefusedError when it must not be made."""
    findings = check.compare(verified.description, new, verified.states)
    grade = check.worst(findings)
    if grade == "refused" or (grade == "lossy" and not accept_lossy):
        reasons = "; ".join(f"{each.subject}: {each.message}" for each in findings if each.grade == grade)
        raise RefusedError(
            f'refused to start from savepoint "{verified.name}": {reasons}',
            "allow it with --accept-lossy"
            if grade == "lossy"
            else "correct the plugins or the configuration; nothing was touched",
        )
    return findings


def start(job: Job, spec: Spec, timeout_s: float) -> None:
    """Start a supervisor for `spec` and wait until the job runs."""
    spec.wanted = "running"
    spec.run += 1
    job.write(spec)
    environment = whole_environment_of(job, spec)
    # the supervisor is the host's; only the job's processes see the job's own plugins
    environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    log = job.folder / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fleetflow.jobs.supervisor", str(job.folder.absolute())],
            env=environment,
            cwd=job.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    while True:
        status = job.status()
        ended = process.poll() is not None
        if status.get("run") == spec.run:
            if status["state"] in {"running", "completed"}:
                return
            if status["state"] == "failed":
                raise FailedError(
                    f'the job "{job.name}" failed: {status.get("reason", "")}\n'
                    + "\n".join(status.get("last_log", [])[-5:]),
                    f"fleetflow logs {job.name}",
                )
        if ended and job.status().get("run") != spec.run:
            raise FailedError(f'the supervisor of "{job.name}" could not be started', f"see {log}")
        if time.monotonic() > deadline:
            reason = status.get("reason", "") if status.get("run") == spec.run else ""
            raise DeadlineError(
                f'the job "{job.name}" does not run after {timeout_s:g} s{": " if reason else ""}{reason}',
                f"it goes on trying; fleetflow logs {job.name}",
            )
        time.sleep(LOOK_S)


def stop(job: Job, wanted: str, timeout_s: float) -> None:
    """End a job's processes cleanly, with a last snapshot, and wait; `wanted` is suspended or cancelled."""
    spec = job.read()
    spec.wanted = wanted
    job.write(spec)
    supervisor = job.supervisor()
    deadline = time.monotonic() + timeout_s
    while supervisor is not None:
        if supervisor and job.status().get("run") == spec.run and job.status().get("pid") == supervisor:
            try:
                os.kill(supervisor, signal.SIGTERM)
                break
            except ProcessLookupError:
                pass
        _past(deadline, job, wanted, timeout_s)
        time.sleep(LOOK_S)
        supervisor = job.supervisor()
    while job.supervisor() is not None:
        _past(deadline, job, wanted, timeout_s)
        time.sleep(LOOK_S)
    write_json(
        job.folder / "status.json",
        {**job.status(), "run": spec.run, "state": wanted, "since": time.time(), "processes": []},
    )


def _past(deadline: float, job: Job, wanted: str, timeout_s: float) -> None:
    if time.monotonic() > deadline:
        raise DeadlineError(
            f'the job "{job.name}" is not {wanted} after {timeout_s:g} s', "it is still asked to; wait for it"
        )


def suspend(places: Places, name: str) -> None:
    """End a job's processes; `resume` goes on exactly there."""
    job = places.job(name)
    with job.commanded():
        _require(job, {*ALIVE, "suspended", "interrupted"}, "suspended")
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
        _require(job, {"suspended", "interrupted", "failed", "completed"}, "resumed")
        spec = _prepared(places, job, accept_lossy)
        spec.workers = workers or spec.workers
        spec.processes = processes or spec.processes
        start(job, spec, places.timeout_s)


def restart(places: Places, name: str, accept_lossy: bool = False) -> None:
    """End a job cleanly and start it again where it ended; what cannot start again is not ended."""
    job = places.job(name)
    with job.commanded():
        _require(job, {*ALIVE, "suspended", "interrupted", "failed", "completed"}, "restarted")
        spec = _prepared(places, job, accept_lossy)
        stop(job, "suspended", places.timeout_s)
        start(job, spec, places.timeout_s)


def _asked(job: Job, spec: Spec, timeout_s: float) -> dict[str, Any]:
    """Return the description of a job's code; code that cannot be loaded in time is refused."""
    try:
        return description.ask(whole_environment_of(job, spec), Path(spec.home), timeout_s)
    except PluginError as error:
        raise RefusedError(f"refused, nothing was touched: {error.message}", error.hint) from error


def _prepared(places: Places, job: Job, accept_lossy: bool) -> Spec:
    """Ask the code anew, which may have changed since the job was started, and check it like an upgrade."""
    spec = job.read()
    before = spec.description
    spec.description = _asked(job, spec, places.timeout_s)
    if (job.store / store.FILE).is_file():
        with store.reading(job.store / store.FILE) as connection:
            states = savepoint.summaries(connection)
        _refuse(check.compare(before, spec.description, states), accept_lossy)
    return spec


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
            _past(deadline, job, "past its first snapshot", places.timeout_s)
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


def assess(places: Places, spec: Spec, package: Path, start_from: str) -> list[Finding]:
    """Compare a package with a savepoint, or with the job of this name as it is; touches nothing."""
    import tempfile  # noqa: PLC0415 - only a check needs it

    with tempfile.TemporaryDirectory() as temporary:
        trial = Job(Path(temporary) / "check")
        trial.folder.mkdir()
        spec.release = 1
        _install(trial, spec, package)
        try:
            new = _asked(trial, spec, places.timeout_s)
        except RefusedError as error:
            return [Finding("refused", "plugins", error.message)]
        verified = savepoint.verify(places.savepoint(start_from))
        return check.compare(verified.description, new, verified.states)


def upgrade(
    places: Places, name: str, package: Path, guard_s: float, accept_lossy: bool
) -> tuple[str, list[Finding], int]:
    """Put another package under a job: returns the savepoint's name, the findings and the downtime in ms.

    Refused before the running job is touched when the check says so. When the new version is not healthy
    within `guard_s` seconds the old one is back, from the same savepoint: FailedError says so.
    """
    job = places.job(name)
    with job.commanded():
        _require(job, {*ALIVE, "suspended", "interrupted"}, "upgraded")
        old, spec = job.read(), job.read()
        spec.release = max([old.release, *(each["release"] for each in old.history)]) + 1
        spec.package = str(package.absolute())
        try:
            _install(job, spec, package)
            spec.description = _asked(job, spec, places.timeout_s)
            with store.reading(job.store / store.FILE) as connection:
                live = savepoint.summaries(connection)
            _refuse(check.compare(old.description, spec.description, live), accept_lossy)
        except BaseException:
            shutil.rmtree(job.site(spec.release), ignore_errors=True)
            raise
        spec.history = [*old.history, _release(old)]
        return _swap(places, job, old, spec, guard_s, "upgrade")


def rollback(places: Places, name: str, guard_s: float) -> tuple[str, list[Finding], int]:
    """Put the release before the last upgrade under a job, from where it is now."""
    job = places.job(name)
    with job.commanded():
        _require(job, {*ALIVE, "suspended", "interrupted", "failed"}, "rolled back")
        old, spec = job.read(), job.read()
        if not old.history:
            raise JobError(f'the job "{name}" was never upgraded', "there is nothing to go back to")
        before = spec.history.pop()
        spec.release, spec.package, spec.config = before["release"], before["package"], before["config"]
        spec.description = _asked(job, spec, places.timeout_s)
        with store.reading(job.store / store.FILE) as connection:
            live = savepoint.summaries(connection)
        _refuse(check.compare(old.description, spec.description, live), accept_lossy=True)
        return _swap(places, job, old, spec, guard_s, "rollback")


def _swap(
    places: Places, job: Job, old: Spec, spec: Spec, guard_s: float, what: str
) -> tuple[str, list[Finding], int]:
    began = time.time()
    stop(job, "suspended", places.timeout_s)
    name = f"{job.name}-{what}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{old.run}"
    taken = savepoint.take(job.store, places.savepoints / name, job.name, old.description)
    findings = check.compare(taken.description, spec.description, taken.states)
    try:
        spec.run = old.run
        start(job, spec, guard_s)
        downtime_ms = int((job.status().get("reading_since", time.time()) - began) * 1000)
        _guard(job, guard_s)
    except JobError as error:
        failed = job.read()
        stop(job, "suspended", places.timeout_s)
        _replace_store(job, taken)
        old.run = failed.run
        start(job, old, places.timeout_s)
        raise FailedError(
            f'the {what} of "{job.name}" was undone, the version before it runs again from savepoint '
            f'"{name}": {error.message}',
            f"fleetflow logs {job.name}",
        ) from error
    return name, findings, downtime_ms


def _guard(job: Job, guard_s: float) -> None:
    deadline = time.monotonic() + guard_s
    while True:
        truth = job.truth()
        if truth["state"] == "completed" or (truth["state"] == "running" and truth.get("healthy")):
            return
        if truth["state"] == "failed" or truth.get("restarts", 0) > 0:
            raise FailedError(f"it failed: {truth.get('reason', '')}")
        if time.monotonic() > deadline:
            raise DeadlineError(f"no snapshot was taken within {guard_s:g} s")
        time.sleep(LOOK_S)


def _refuse(findings: Sequence[Finding], accept_lossy: bool) -> None:
    grade = check.worst(findings)
    if grade == "refused" or (grade == "lossy" and not accept_lossy):
        reasons = "; ".join(f"{each.subject}: {each.message}" for each in findings if each.grade == grade)
        hint = "allow it with --accept-lossy" if grade == "lossy" else "correct the package"
        raise RefusedError(f"refused, the job was not touched: {reasons}", hint)


def _release(spec: Spec) -> dict[str, Any]:
    return {"release": spec.release, "package": spec.package, "config": spec.config}


def _install(job: Job, spec: Spec, package: Path) -> None:
    site = job.site(spec.release)
    lock = packages.install(package, site)
    if lock["configuration"]:
        spec.config = str((site / packages.CONFIG).absolute())


def _require(job: Job, states: set[str], what: str) -> None:
    state = job.truth()["state"]
    if state not in states:
        raise JobError(
            f'the job "{job.name}" is {state} and cannot be {what}',
            f"it would have to be {', '.join(sorted(states))}",
        )


def _ignored_by_git(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def _replace_store(job: Job, taken: Savepoint | None) -> None:
    job.store.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = StoreLock(job.store)
    lock.acquire()
    try:
        if taken is not None:
            savepoint.restore(taken, job.store)
        else:
            for file in job.store.glob(f"{store.FILE}*"):
                file.unlink()
            ensure_store(job.store)
    finally:
        lock.release()


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
