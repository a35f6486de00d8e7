"""Starting and ending a job's supervisor, each until the state that was asked for is reached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from fleetflow.audit.moment import ledger_folder
from fleetflow.jobs.model import DeadlineError, FailedError, Job, JobError, Spec, write_json
from fleetflow.jobs.surroundings import whole_environment_of
from fleetflow.recovery import StoreLock, ensure_store, holder_of
from fleetflow.savepoints import savepoint, store
from fleetflow.savepoints.savepoint import Savepoint

LOOK_S = 0.05
GONE_S = 2.0


def start(job: Job, spec: Spec, timeout_s: float) -> None:
    """Start a supervisor for `spec` and wait until the job runs."""
    alone(job, spec)
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


def alone(job: Job, spec: Spec) -> None:
    """Raise JobError for a second job on one ledger: the account of both would be wrong.

    The processes of one that was just killed are waited for.
    """
    ledger = ledger_folder(spec.description, spec.home)
    deadline = time.monotonic() + GONE_S
    while ledger is not None and (holder := holder_of(ledger)) is not None:
        if time.monotonic() > deadline:
            raise JobError(
                f'the job "{job.name}" cannot keep its account in {ledger}: process {holder} does so',
                "stop that job, or give this one a ledger of its own: "
                f"fleetflow --set ledger.dir=data/{job.name}/ledger submit ...",
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
        past(deadline, job, wanted, timeout_s)
        time.sleep(LOOK_S)
        supervisor = job.supervisor()
    while job.supervisor() is not None:
        past(deadline, job, wanted, timeout_s)
        time.sleep(LOOK_S)
    write_json(
        job.folder / "status.json",
        {**job.status(), "run": spec.run, "state": wanted, "since": time.time(), "processes": []},
    )


def past(deadline: float, job: Job, wanted: str, timeout_s: float) -> None:
    """Raise DeadlineError once the deadline (monotonic) has passed."""
    if time.monotonic() > deadline:
        raise DeadlineError(
            f'the job "{job.name}" is not {wanted} after {timeout_s:g} s', "it is still asked to; wait for it"
        )


def require(job: Job, states: set[str], what: str) -> None:
    """Raise JobError unless the job is in one of `states`."""
    state = job.truth()["state"]
    if state not in states:
        raise JobError(
            f'the job "{job.name}" is {state} and cannot be {what}',
            f"it would have to be {', '.join(sorted(states))}",
        )


def replace_store(job: Job, taken: Savepoint | None) -> None:
    """Give a job the recovery store of a savepoint, or an empty one."""
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
