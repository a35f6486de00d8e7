"""Whether code may run from a state: asked, compared and refused before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetflow.errors import PluginError
from fleetflow.jobs import package as packages
from fleetflow.jobs.model import Job, RefusedError, Spec
from fleetflow.jobs.places import Places
from fleetflow.jobs.surroundings import whole_environment_of
from fleetflow.savepoints import check, description, savepoint, store
from fleetflow.savepoints.check import Finding
from fleetflow.savepoints.savepoint import Savepoint


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


def asked(job: Job, spec: Spec, timeout_s: float) -> dict[str, Any]:
    """Return the description of a job's code; code that cannot be loaded in time is refused."""
    try:
        return description.ask(whole_environment_of(job, spec), Path(spec.home), timeout_s)
    except PluginError as error:
        raise RefusedError(f"refused, nothing was touched: {error.message}", error.hint) from error


def prepared(places: Places, job: Job, accept_lossy: bool) -> Spec:
    """Ask the code anew, which may have changed since the job was started, and check it like an upgrade."""
    spec = job.read()
    before = spec.description
    spec.description = asked(job, spec, places.timeout_s)
    if (job.store / store.FILE).is_file():
        with store.reading(job.store / store.FILE) as connection:
            states = savepoint.summaries(connection)
        refuse(check.compare(before, spec.description, states), accept_lossy)
    return spec


def refuse(findings: Sequence[Finding], accept_lossy: bool) -> None:
    """Raise RefusedError when a running job must not go on with what was compared."""
    grade = check.worst(findings)
    if grade == "refused" or (grade == "lossy" and not accept_lossy):
        reasons = "; ".join(f"{each.subject}: {each.message}" for each in findings if each.grade == grade)
        hint = "allow it with --accept-lossy" if grade == "lossy" else "correct the package"
        raise RefusedError(f"refused, the job was not touched: {reasons}", hint)


def install(job: Job, spec: Spec, package: Path) -> None:
    """Install a package as the release that `spec` names."""
    site = job.site(spec.release)
    lock = packages.install(package, site)
    if lock["configuration"]:
        spec.config = str((site / packages.CONFIG).absolute())
