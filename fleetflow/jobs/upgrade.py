"""Another version under a job, from where it is; and back, when it is not as good as the one before."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fleetflow.audit import certificate
from fleetflow.audit.certificate import Change
from fleetflow.audit.moment import ledger_folder
from fleetflow.audit.positions import described
from fleetflow.errors import FleetflowError
from fleetflow.jobs import guard
from fleetflow.jobs.admission import asked, install, refuse
from fleetflow.jobs.guard import Bounds, Watched
from fleetflow.jobs.model import ALIVE, DeadlineError, FailedError, Job, JobError, RefusedError, Spec
from fleetflow.jobs.places import Places
from fleetflow.jobs.running import replace_store, require, start, stop
from fleetflow.savepoints import check, savepoint, store
from fleetflow.savepoints.check import Finding
from fleetflow.savepoints.savepoint import Savepoint

log = logging.getLogger(__name__)
BROKEN_OFF = (FleetflowError, OSError, sqlite3.Error, KeyboardInterrupt)
"""What ends a change half-way; whatever it is, the version before runs again."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Whether to rehearse first; `only` ends there. Waits up to `wait_s` seconds for something to read."""

    wait_s: float = 15.0
    longest_s: float = 300.0
    only: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an upgrade or a rollback."""

    savepoint: str = ""
    findings: list[Finding] = field(default_factory=list)
    downtime_ms: int | None = None
    certificate: Path | None = None
    rehearsal: Mapping[str, Any] | None = None


def assess(places: Places, spec: Spec, package: Path, start_from: str) -> list[Finding]:
    """Compare a package with a savepoint, or with the job of this name as it is; touches nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        trial = Job(Path(temporary) / "check")
        trial.folder.mkdir()
        spec.release = 1
        install(trial, spec, package)
        try:
            new = asked(trial, spec, places.timeout_s)
        except RefusedError as error:
            return [Finding("refused", "plugins", error.message)]
        verified = savepoint.verify(places.savepoint(start_from))
        return check.compare(verified.description, new, verified.states)


def upgrade(
    places: Places,
    name: str,
    package: Path,
    bounds: Bounds,
    accept_lossy: bool = False,
    rehearsal: Rehearsal | None = None,
) -> Outcome:
    """Put another package under a job.

    Refused before the running job is touched when the check says so, or a rehearsal finds that something
    would be lost. When the new version does not keep to `bounds` the old one is back, from the same
    savepoint: FailedError says so.
    """
    job = places.job(name)
    with job.commanded():
        require(job, {*ALIVE, "suspended", "interrupted"}, "upgraded")
        old, spec = job.read(), job.read()
        spec.release = max([old.release, *(each["release"] for each in old.history)]) + 1
        spec.package = str(package.absolute())
        report: Mapping[str, Any] | None = None
        try:
            install(job, spec, package)
            spec.description = asked(job, spec, places.timeout_s)
            findings = _compared(job, old, spec)
            refuse(findings, accept_lossy)
            if rehearsal is not None:
                from fleetflow.audit.rehearsal import rehearse  # noqa: PLC0415 - few upgrades need it

                report = rehearse(job, old, spec, rehearsal.wait_s, rehearsal.longest_s)
                _refuse_losses(name, report)
                if rehearsal.only:
                    shutil.rmtree(job.site(spec.release), ignore_errors=True)
                    return Outcome(findings=findings, rehearsal=report)
        except BaseException:
            shutil.rmtree(job.site(spec.release), ignore_errors=True)
            raise
        spec.history = [*old.history, _release(old)]
        return _swap(places, job, old, spec, bounds, "upgrade", report)


def rollback(places: Places, name: str, bounds: Bounds) -> Outcome:
    """Put the release before the last upgrade under a job, from where it is now."""
    job = places.job(name)
    with job.commanded():
        require(job, {*ALIVE, "suspended", "interrupted", "failed"}, "rolled back")
        old, spec = job.read(), job.read()
        if not old.history:
            raise JobError(f'the job "{name}" was never upgraded', "there is nothing to go back to")
        before = spec.history.pop()
        spec.release, spec.package, spec.config = before["release"], before["package"], before["config"]
        spec.description = asked(job, spec, places.timeout_s)
        refuse(_compared(job, old, spec), accept_lossy=True)
        return _swap(places, job, old, spec, bounds, "rollback", None)


def _compared(job: Job, old: Spec, spec: Spec) -> list[Finding]:
    with store.reading(job.store / store.FILE) as connection:
        live = savepoint.summaries(connection)
    return check.compare(old.description, spec.description, live)


def _refuse_losses(name: str, report: Mapping[str, Any]) -> None:
    if report["lost"]:
        raise RefusedError(
            f'the rehearsal of the upgrade of "{name}" found that something would be lost, '
            "nothing was touched: " + "; ".join(report["lost"]),
            f"the whole report: {report['file']}",
        )


def _swap(
    places: Places,
    job: Job,
    old: Spec,
    spec: Spec,
    bounds: Bounds,
    what: str,
    report: Mapping[str, Any] | None,
) -> Outcome:
    began = time.time()
    alive = job.truth()["state"] in ALIVE
    name = f"{job.name}-{what}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{old.run}"
    try:
        stop(job, "suspended", places.timeout_s)
        taken = savepoint.take(job.store, places.savepoints / name, job.name, old.description)
        findings = check.compare(taken.description, spec.description, taken.states)
        watched = guard.before(ledger_folder(old.description, old.home), job)
    except DeadlineError:
        raise
    except BROKEN_OFF as error:
        _undo(places, job, old, None, alive)
        raise FailedError(
            f'the {what} of "{job.name}" was broken off, nothing was changed: {_reason(error)}',
            "make room or correct the permissions, then try again",
        ) from error
    downtime_ms: int | None = None
    try:
        spec.run = old.run
        start(job, spec, bounds.within_s)
        downtime_ms = int((job.status().get("reading_since", time.time()) - began) * 1000)
        guard.watch(job, bounds, watched)
    except BROKEN_OFF as error:
        _undo(places, job, old, taken, start_again=True)
        back_ms = int((job.status().get("reading_since", time.time()) - began) * 1000)
        _certify(job, what, old, spec, taken, watched, back_ms, _reason(error))
        raise FailedError(
            f'the {what} of "{job.name}" was undone, the version before it runs again from savepoint '
            f'"{name}": {_reason(error)}',
            f"fleetflow logs {job.name}",
        ) from error
    path = _certify(job, what, old, spec, taken, watched, downtime_ms, "")
    return Outcome(name, findings, downtime_ms, path, report)


def _undo(places: Places, job: Job, old: Spec, taken: Savepoint | None, start_again: bool) -> None:
    """Put the version before under the job again, from a savepoint or from where it is."""
    run = job.read().run
    stop(job, "suspended", places.timeout_s)
    if taken is not None:
        replace_store(job, taken)
    old.run = run
    if start_again:
        start(job, old, places.timeout_s)
    else:
        job.write(replace(old, wanted="suspended"))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return error.message if isinstance(error, FleetflowError) else str(error)


def _certify(
    job: Job,
    what: str,
    old: Spec,
    spec: Spec,
    taken: Savepoint,
    watched: Watched,
    downtime_ms: int,
    undone: str,
) -> Path | None:
    """Write the certificate; a job that keeps no ledger has none. Never fails what it certifies."""
    if watched.ledger is None:
        return None
    try:
        while len(watched.moments) < 3:
            watched.note()
        change = Change(
            what,
            job.name,
            old.description,
            spec.description,
            taken.name,
            described(taken.folder),
            old.started_from,
            downtime_ms,
            watched.pause_ms,
            undone,
        )
        content = certificate.compose(change, watched.moments)
        return certificate.write(job.folder / certificate.FOLDER, content)
    except (OSError, FleetflowError):
        log.exception("the certificate of %s could not be written", job.name)
        return None
    finally:
        watched.over.set()
        watched.ledger.close()


def _release(spec: Spec) -> dict[str, Any]:
    return {"release": spec.release, "package": spec.package, "config": spec.config}
