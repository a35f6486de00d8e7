"""Commands that start, end and list jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetflow.builtin.jobs.options import (
    JSON,
    LOSSY,
    PACKAGE_FILE,
    PROCESSES,
    TIMEOUT,
    WORKERS,
    places_of,
    print_findings,
    say,
    shown,
    spec_of,
)
from fleetflow.config import Configuration

if TYPE_CHECKING:
    from fleetflow.jobs.places import Places


NOTHING = dict.fromkeys(("job", "state", "since", "workers", "processes", "schema", "restarts", "reason"))
"""A row of `list-jobs` in which nothing is known."""


@click.command("submit")
@click.argument("package", required=False, type=PACKAGE_FILE)
@click.option("-n", "--name", help="The job's name  [default: the package's].")
@click.option("-s", "--savepoint", help="Start from this savepoint: a name, or a folder's path.")
@WORKERS
@PROCESSES
@click.option("--once", is_flag=True, help="End when every source has caught up.")
@LOSSY
@TIMEOUT
@JSON
@click.pass_context
def submit_command(
    ctx: click.Context,
    package: Path | None,
    name: str | None,
    savepoint: str | None,
    workers: int | None,
    processes: int | None,
    once: bool,
    accept_lossy: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Start a job that outlives the shell: of a package, or of the plugins that are installed."""
    from fleetflow.jobs import control  # noqa: PLC0415

    places = places_of(ctx.obj, timeout)
    chosen = name or control.name_for(package)
    spec = spec_of(ctx, chosen, workers, processes, once)
    warning = "" if savepoint else control.forgotten(places, chosen)
    if warning:
        click.echo(f"warning: {warning}", err=True)
    findings = control.submit(places, spec, package, savepoint, accept_lossy)
    print_findings([] if as_json else findings, as_json)
    say(places, chosen, as_json)


@click.command("list-jobs")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that ended.")
@JSON
@click.pass_obj
def list_jobs_command(configuration: Configuration, everything: bool, as_json: bool) -> None:
    """List jobs, with the state that is true now."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs.model import JobError, jobs_in  # noqa: PLC0415

    rows = []
    for job in jobs_in(places_of(configuration).jobs):
        try:
            truth, spec = job.truth(), job.read()
        except JobError as error:
            # the others are listed all the same
            rows.append({**NOTHING, "job": job.name, "state": "damaged", "reason": error.message})
            continue
        if truth["state"] in {"cancelled", "completed"} and not everything:
            continue
        schema = spec.description.get("schema", {})
        rows.append(
            {
                "job": job.name,
                "state": truth["state"],
                "since": truth.get("since"),
                "workers": spec.workers,
                "processes": spec.processes,
                "schema": f"{schema.get('name', '')} {schema.get('version', '')}".strip(),
                "restarts": truth.get("restarts", 0),
                "reason": truth.get("reason", ""),
            }
        )
    if as_json:
        for row in rows:
            print_json(row)
    else:
        columns = list(NOTHING)
        print_table(
            "",
            columns,
            [[shown(row[key]) if key == "since" else row[key] for key in columns] for row in rows],
        )


def _verb(name: str, help_text: str, function: str) -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("job")
    @TIMEOUT
    @JSON
    @click.pass_obj
    def command(configuration: Configuration, job: str, timeout: float, as_json: bool) -> None:
        from fleetflow.jobs import control  # noqa: PLC0415

        act: Callable[[Places, str], None] = getattr(control, function)
        places = places_of(configuration, timeout)
        act(places, job)
        say(places, job, as_json)

    return command


suspend_command = _verb(
    "suspend", "End a job's processes cleanly; `resume` goes on exactly there.", "suspend"
)
cancel_command = _verb("cancel", "End a job for good.", "cancel")
restart_command = _verb("restart", "End a job cleanly and start it where it ended.", "restart")


@click.command("resume")
@click.argument("job")
@WORKERS
@PROCESSES
@LOSSY
@TIMEOUT
@JSON
@click.pass_obj
def resume_command(
    configuration: Configuration,
    job: str,
    workers: int | None,
    processes: int | None,
    accept_lossy: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Start a suspended, interrupted or failed job where it ended, on any number of workers."""
    from fleetflow.jobs import control  # noqa: PLC0415

    places = places_of(configuration, timeout)
    control.resume(places, job, workers, processes, accept_lossy)
    say(places, job, as_json)
