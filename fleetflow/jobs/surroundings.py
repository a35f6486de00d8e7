"""What surrounds a job's processes: environment variables, and the process that must outlive them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from fleetflow.jobs.model import Job, Spec
from fleetflow.processes import ended_with_parent


def environment_of(job: Job, spec: Spec, release: int | None = None) -> dict[str, str]:
    """Return what is set for the job's processes: its settings, and its own plugins before the host's.

    Of two versions of one distribution the first on the path is the one that is found. `release` asks for
    another release's plugins.
    """
    variables = {
        **spec.environment,
        "FLEETFLOW_HOME": spec.home,
        "FLEETFLOW_RECOVERY_DIR": str(job.store),
        "FLEETFLOW_RECOVERY_SNAPSHOT_S": str(spec.snapshot_s),
    }
    if spec.config:
        variables["FLEETFLOW_CONFIG"] = spec.config
    if spec.once:
        variables["FLEETFLOW_ONCE"] = "1"
    number = spec.release if release is None else release
    if number:
        host = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        variables["PYTHONPATH"] = os.pathsep.join([str(job.site(number)), *host])
    return variables


def whole_environment_of(job: Job, spec: Spec, release: int | None = None) -> dict[str, str]:
    """Return this process's environment without settings of its own, with those of the job."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("FLEETFLOW_", "BYTEWAX_"))
    }
    return {**inherited, **environment_of(job, spec, release)}


def killed_with_parent() -> Callable[[], object] | None:
    """Return what a new process calls before it runs its program, to be killed with its parent."""
    return ended_with_parent(signal.SIGKILL)
