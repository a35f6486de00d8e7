"""What the commands for jobs share: options, where jobs are, and how an outcome is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetflow.builtin.jobs.settings import JobsSettings
from fleetflow.config import Configuration

if TYPE_CHECKING:
    from fleetflow.jobs.model import Spec
    from fleetflow.jobs.places import Places
    from fleetflow.savepoints.check import Finding

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait."
)
WORKERS = click.option("-w", "--workers", type=click.IntRange(1, 64), help="Worker threads per process.")
PROCESSES = click.option("-p", "--processes", type=click.IntRange(1, 64), help="Processes.")
LOSSY = click.option("--accept-lossy", is_flag=True, help="Start even though the check finds a loss.")
GUARD = click.option(
    "--guard",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Seconds to become healthy.",
)
WATCH = click.option(
    "--watch",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds for which rejects and errors are then watched.",
)
REJECTS = click.option(
    "--guard-rejects",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Percentage points by which the share of rejects of a source may rise.",
)
PACKAGE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def places_of(configuration: Configuration, timeout: float = 60.0) -> Places:
    """Return where jobs and savepoints are."""
    from fleetflow.jobs.places import Places  # noqa: PLC0415 - as everywhere in this module: quick commands

    settings = configuration.table("jobs", JobsSettings)
    return Places(configuration.path(settings.dir), configuration.path(settings.savepoints), timeout)


def spec_of(ctx: click.Context, name: str, workers: int | None, processes: int | None, once: bool) -> Spec:
    """Return what is wanted of a job, by the options and settings of this command."""
    import os  # noqa: PLC0415

    from fleetflow.builtin.core import RecoverySettings, RunSettings  # noqa: PLC0415
    from fleetflow.cli.loading import environment_of  # noqa: PLC0415 - as above
    from fleetflow.config import PREFIX, TOP_LEVEL  # noqa: PLC0415
    from fleetflow.jobs.model import Spec  # noqa: PLC0415

    configuration: Configuration = ctx.obj
    workers, processes = configuration.table("run", RunSettings).size(workers, processes)
    settings = configuration.table("jobs", JobsSettings)
    chosen = ctx.find_root().params.get("config") or os.environ.get("FLEETFLOW_CONFIG")
    inherited = {
        key: value for key, value in os.environ.items() if key.startswith(PREFIX) and key not in TOP_LEVEL
    }
    return Spec(
        name=name,
        home=str(configuration.home),
        created_at=time.time(),
        workers=workers,
        processes=processes,
        snapshot_s=configuration.table("recovery", RecoverySettings).snapshot_s,
        once=once,
        config=str(Path(chosen).absolute()) if chosen else "",
        environment={**inherited, **environment_of(configuration, ctx.meta["fleetflow.flags"])},
        policy=settings.model_dump(include={"attempts", "backoff_s", "backoff_most_s", "stall_s"}),
    )


def say(places: Places, name: str, as_json: bool, **more: Any) -> None:
    """Tell the job's state, and what else there is to tell."""
    from fleetflow.cli.output import print_json  # noqa: PLC0415

    truth = places.job(name).truth()
    if as_json:
        print_json({"job": name, "state": truth["state"], **more})
    else:
        words = "".join(f", {key.replace('_', ' ')} {value}" for key, value in more.items() if value)
        click.echo(f"{name} is {truth['state']}{words}")


def print_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """Print what a check found."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415

    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    elif findings:
        print_table(
            "", ["grade", "what", "follows"], [(each.grade, each.subject, each.message) for each in findings]
        )


def shown(moment: object) -> str:
    """Return seconds since 1970 as text in UTC."""
    if not isinstance(moment, int | float):
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(moment))
