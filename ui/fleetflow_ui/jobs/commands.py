"""What can be done to a job and to a savepoint: the functions behind the buttons.

Each waits for the state that it asks for and returns a sentence; raises FleetflowError with what to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleetflow.builtin.core import RecoverySettings, RunSettings
from fleetflow.builtin.jobs import JobsSettings
from fleetflow.config import PREFIX, TOP_LEVEL
from fleetflow.jobs import control, exports
from fleetflow.jobs.model import ALIVE, Spec, job_of
from fleetflow.jobs.places import Places
from fleetflow.savepoints import savepoint
from fleetflow_ui.context import Context

TIMEOUT_S = 60.0
ENDED = frozenset({"suspended", "interrupted", "failed", "completed"})


@dataclass(frozen=True, slots=True)
class Verb:
    """A button: in which states it can be pressed; what it asks before, if anything."""

    name: str
    label: str
    states: frozenset[str]
    question: str = ""
    look: str = "default"


VERBS = (
    Verb("save", "Take savepoint", frozenset({*ALIVE, *ENDED, "cancelled"})),
    Verb("restart", "Restart", frozenset({*ALIVE, *ENDED})),
    Verb("suspend", "Suspend", frozenset({*ALIVE, "interrupted"})),
    Verb("resume", "Resume", ENDED, look="primary"),
    Verb(
        "cancel_save",
        "Savepoint and cancel",
        ALIVE,
        "End {job} for good, after a last savepoint? It can be started again from that savepoint.",
        "danger",
    ),
    Verb(
        "cancel",
        "Cancel",
        frozenset({*ALIVE, *ENDED}),
        "End {job} for good, without a savepoint? Only a savepoint taken earlier can start it where it was.",
        "danger",
    ),
)


def places_of(context: Context, timeout_s: float = TIMEOUT_S) -> Places:
    """Return where jobs and savepoints are."""
    settings = context.configuration.table("jobs", JobsSettings)
    path = context.configuration.path
    return Places(path(settings.dir), path(settings.savepoints), timeout_s)


def savepoint_name(job: str, now: float) -> str:
    """Return the name of a savepoint that was given none."""
    return f"{job}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}"


def of_verb(places: Places, verb: str, job: str, name: str) -> Callable[[], str]:
    """Return the work of a button; `name` is that of the savepoint, where one is taken."""

    def save() -> str:
        taken = exports.save(places, job, name, verb == "cancel_save")
        ended = f", and {job} is cancelled" if verb == "cancel_save" else ""
        return f"savepoint {taken.name} is taken{ended}"

    def suspend() -> str:
        control.suspend(places, job)
        return f"{job} is suspended, after a last snapshot"

    def resume() -> str:
        control.resume(places, job, None, None)
        return f"{job} runs, from where it ended"

    def restart() -> str:
        control.restart(places, job)
        return f"{job} was restarted where it ended"

    def cancel() -> str:
        control.cancel(places, job)
        return f"{job} is cancelled"

    works = {"save": save, "cancel_save": save, "suspend": suspend, "resume": resume}
    return (works | {"restart": restart, "cancel": cancel})[verb]


def delete_savepoint(places: Places, name: str) -> str:
    """Remove a savepoint."""
    savepoint.delete(places.savepoints / name)
    return f"savepoint {name} is removed"


def start_from(context: Context, places: Places, name: str, job: str) -> str:
    """Start `job` from a savepoint: as it was submitted, or as a new job with this dashboard's settings.

    A job that still runs is refused: it would have to be cancelled first.
    """
    found = job_of(places.jobs, job)
    if found.exists():
        old = found.read()
        spec = Spec(
            name=old.name,
            home=old.home,
            created_at=time.time(),
            workers=old.workers,
            processes=old.processes,
            snapshot_s=old.snapshot_s,
            once=old.once,
            config="" if old.package else old.config,
            environment=dict(old.environment),
            policy=dict(old.policy),
        )
        package = Path(old.package) if old.package else None
    else:
        spec, package = new_spec(context, job), None
    findings = control.submit(places, spec, package, name)
    noted = [f"{each.subject}: {each.message}" for each in findings if each.grade != "compatible"]
    return f"{job} runs, started from savepoint {name}" + (f" ({'; '.join(noted)})" if noted else "")


def new_spec(context: Context, job: str) -> Spec:
    """Return a job with the settings of this process, without the dashboard's own, such as passwords."""
    configuration = context.configuration
    workers, processes = configuration.table("run", RunSettings).size()
    environment = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(PREFIX) and key not in TOP_LEVEL and not key.startswith(f"{PREFIX}UI_")
    }
    policy = configuration.table("jobs", JobsSettings).model_dump(
        include={"attempts", "backoff_s", "backoff_most_s", "stall_s"}
    )
    config = os.environ.get("FLEETFLOW_CONFIG", "")
    return Spec(
        name=job,
        home=str(configuration.home),
        created_at=time.time(),
        workers=workers,
        processes=processes,
        snapshot_s=configuration.table("recovery", RecoverySettings).snapshot_s,
        config=str(Path(config).absolute()) if config else "",
        environment=environment,
        policy=policy,
    )
