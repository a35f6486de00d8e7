"""Built-in commands for jobs and savepoints, and the table [jobs].

The modules hold one kind of command each; all imports that cost time are inside the commands.
"""

from __future__ import annotations

from collections.abc import Sequence

import click
from pydantic import BaseModel

from fleetflow.builtin.jobs import audits, lifecycle, snapshots, versions, watching
from fleetflow.builtin.jobs.settings import JobsSettings
from fleetflow.plugins import hookimpl

__all__ = ["JobsSettings"]

COMMANDS = (
    versions.package_command,
    lifecycle.submit_command,
    lifecycle.list_jobs_command,
    lifecycle.suspend_command,
    lifecycle.resume_command,
    lifecycle.restart_command,
    lifecycle.cancel_command,
    snapshots.save_snapshot_command,
    snapshots.list_snapshots_command,
    snapshots.delete_snapshot_command,
    watching.logs_command,
    watching.cluster_command,
    watching.manifest_command,
    versions.check_command,
    versions.upgrade_command,
    versions.rollback_command,
    audits.audit_command,
    audits.backfill_command,
)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [jobs]."""
    return {"jobs": JobsSettings}


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return the commands for jobs and savepoints."""
    return COMMANDS
