"""Commands that look at running jobs, and print units for platforms that supervise them instead."""

from __future__ import annotations

from pathlib import Path

import click

from fleetflow.builtin.jobs.options import JSON, PROCESSES, WORKERS, places_of
from fleetflow.config import Configuration


@click.command("logs")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends, or Ctrl-C.")
@click.option(
    "--lines", type=click.IntRange(min=0), default=100, show_default=True, help="How many to begin with."
)
@click.pass_obj
def logs_command(configuration: Configuration, job: str, follow: bool, lines: int) -> None:
    """Print a job's log."""
    from fleetflow.cli.output import plain  # noqa: PLC0415
    from fleetflow.jobs import control  # noqa: PLC0415

    control.follow(places_of(configuration).job(job), lines, follow, lambda line: click.echo(plain(line)))


@click.command("cluster")
@JSON
@click.pass_obj
def cluster_command(configuration: Configuration, as_json: bool) -> None:
    """List the processes of all running jobs, with workers and versions."""
    import socket  # noqa: PLC0415

    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs.model import JobError, jobs_in, start_time  # noqa: PLC0415

    rows = []
    for job in jobs_in(places_of(configuration).jobs):
        try:
            truth, spec = job.truth(), job.read()
        except JobError as error:
            click.echo(f"warning: {error.message}", err=True)
            continue
        versions = {**spec.description.get("versions", {}), **spec.description.get("distributions", {})}
        for process in truth.get("processes", []) if truth["supervisor"] else []:
            if start_time(process["pid"]) == process["started"]:
                rows.append(
                    {
                        "host": socket.gethostname(),
                        "job": job.name,
                        "pid": process["pid"],
                        "workers": spec.workers,
                        "versions": versions,
                    }
                )
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(
            "",
            ["host", "job", "process", "workers", "versions"],
            [
                (
                    row["host"],
                    row["job"],
                    row["pid"],
                    row["workers"],
                    ", ".join(f"{name} {version}" for name, version in row["versions"].items()),
                )
                for row in rows
            ],
        )


@click.command("manifest")
@click.argument("kind", type=click.Choice(["systemd", "kubernetes", "compose"]))
@click.option("-n", "--name", default="fleetflow", show_default=True, help="The job's name.")
@WORKERS
@PROCESSES
@click.option(
    "--image", default="fleetflow:latest", show_default=True, help="Image with fleetflow and plugins."
)
@click.pass_obj
def manifest_command(
    configuration: Configuration,
    kind: str,
    name: str,
    workers: int | None,
    processes: int | None,
    image: str,
) -> None:
    """Print units for a platform that supervises the job instead of `submit`."""
    from fleetflow.builtin.core import RecoverySettings, RunSettings  # noqa: PLC0415
    from fleetflow.jobs import manifest  # noqa: PLC0415
    from fleetflow.jobs.model import job_of  # noqa: PLC0415

    job_of(Path(), name)
    workers, processes = configuration.table("run", RunSettings).size(workers, processes)
    click.echo(
        manifest.render(
            kind,
            manifest.Wanted(
                name,
                str(configuration.home),
                workers,
                processes,
                configuration.table("recovery", RecoverySettings).snapshot_s,
                image,
            ),
        ),
        nl=False,
    )
