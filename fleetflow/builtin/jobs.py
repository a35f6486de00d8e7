"""Built-in commands for jobs and savepoints, and the table [jobs]."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel, Field

from fleetflow.config import Configuration, Settings
from fleetflow.plugins import hookimpl

if TYPE_CHECKING:
    from fleetflow.jobs.control import Places
    from fleetflow.jobs.model import Spec
    from fleetflow.savepoints.check import Finding


class JobsSettings(Settings):
    """The table [jobs]."""

    dir: Path = Field(Path("jobs"), description="folder of the jobs")
    savepoints: Path = Field(Path("recovery/savepoints"), description="folder of the savepoints")
    attempts: int = Field(6, ge=1, description="failures in a row, without progress, until a job is given up")
    backoff_s: float = Field(0.5, gt=0, description="seconds before the first restart; doubled after each")
    backoff_most_s: float = Field(30.0, gt=0, description="longest pause before a restart, in seconds")
    stall_s: float = Field(
        60.0, ge=1, description="seconds without progress (at least 3 snapshots) until a job is restarted"
    )


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
PACKAGE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _places(configuration: Configuration, timeout: float = 60.0) -> Places:
    from fleetflow.jobs.control import Places  # noqa: PLC0415 - as everywhere in this module: quick commands

    settings = configuration.table("jobs", JobsSettings)
    return Places(configuration.path(settings.dir), configuration.path(settings.savepoints), timeout)


def _spec(ctx: click.Context, name: str, workers: int | None, processes: int | None, once: bool) -> Spec:
    import os  # noqa: PLC0415

    from fleetflow.builtin.core import RecoverySettings, RunSettings  # noqa: PLC0415
    from fleetflow.cli.run import environment_of  # noqa: PLC0415
    from fleetflow.config import PREFIX, TOP_LEVEL  # noqa: PLC0415
    from fleetflow.jobs.model import Spec  # noqa: PLC0415

    configuration: Configuration = ctx.obj
    run = configuration.table("run", RunSettings)
    settings = configuration.table("jobs", JobsSettings)
    chosen = ctx.find_root().params.get("config") or os.environ.get("FLEETFLOW_CONFIG")
    inherited = {
        key: value for key, value in os.environ.items() if key.startswith(PREFIX) and key not in TOP_LEVEL
    }
    return Spec(
        name=name,
        home=str(configuration.home),
        created_at=time.time(),
        workers=workers or run.workers,
        processes=processes or run.processes,
        snapshot_s=configuration.table("recovery", RecoverySettings).snapshot_s,
        once=once,
        config=str(Path(chosen).absolute()) if chosen else "",
        environment={**inherited, **environment_of(configuration, ctx.meta["fleetflow.flags"])},
        policy=settings.model_dump(include={"attempts", "backoff_s", "backoff_most_s", "stall_s"}),
    )


def _say(places: Places, name: str, as_json: bool, **more: Any) -> None:
    from fleetflow.cli.output import print_json  # noqa: PLC0415

    truth = places.job(name).truth()
    if as_json:
        print_json({"job": name, "state": truth["state"], **more})
    else:
        words = "".join(f", {key.replace('_', ' ')} {value}" for key, value in more.items() if value)
        click.echo(f"{name} is {truth['state']}{words}")


def _print_findings(findings: Sequence[Finding], as_json: bool) -> None:
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415

    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    elif findings:
        print_table(
            "", ["grade", "what", "follows"], [(each.grade, each.subject, each.message) for each in findings]
        )


@click.command("package")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.argument("parts", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@JSON
@click.pass_context
def package_command(ctx: click.Context, output: Path, parts: tuple[Path, ...], as_json: bool) -> None:
    """Pack plugins (folders or wheels) with a lock, and the file given by --config, for `submit`."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs import package  # noqa: PLC0415

    lock = package.build(output.absolute(), parts, ctx.find_root().params.get("config"))
    if as_json:
        for wheel in lock["wheels"]:
            print_json(wheel)
    else:
        rows = [(wheel["name"], wheel["version"], wheel["sha256"]) for wheel in lock["wheels"]]
        print_table(str(output), ["distribution", "version", "SHA-256"], rows)


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

    places = _places(ctx.obj, timeout)
    chosen = name or control.name_for(package)
    spec = _spec(ctx, chosen, workers, processes, once)
    findings = control.submit(places, spec, package, savepoint, accept_lossy)
    _print_findings([] if as_json else findings, as_json)
    _say(places, chosen, as_json)


@click.command("list-jobs")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that ended.")
@JSON
@click.pass_obj
def list_jobs_command(configuration: Configuration, everything: bool, as_json: bool) -> None:
    """List jobs, with the state that is true now."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs.model import jobs_in  # noqa: PLC0415

    rows = []
    for job in jobs_in(_places(configuration).jobs):
        truth, spec = job.truth(), job.read()
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
        columns = ["job", "state", "since", "workers", "processes", "schema", "restarts", "reason"]
        print_table(
            "",
            columns,
            [[_shown(row[key]) if key == "since" else row[key] for key in columns] for row in rows],
        )


def _shown(moment: object) -> str:
    if not isinstance(moment, int | float):
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(moment))


def _verb(name: str, help_text: str, function: str) -> click.Command:
    @click.command(name, help=help_text)
    @click.argument("job")
    @TIMEOUT
    @JSON
    @click.pass_obj
    def command(configuration: Configuration, job: str, timeout: float, as_json: bool) -> None:
        from fleetflow.jobs import control  # noqa: PLC0415

        act: Callable[[Places, str], None] = getattr(control, function)
        places = _places(configuration, timeout)
        act(places, job)
        _say(places, job, as_json)

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

    places = _places(configuration, timeout)
    control.resume(places, job, workers, processes, accept_lossy)
    _say(places, job, as_json)


@click.command("save-snapshot")
@click.argument("job")
@click.argument("name")
@click.option("-C", "--cancel", "cancelling", is_flag=True, help="Cancel the job first, cleanly.")
@TIMEOUT
@JSON
@click.pass_obj
def save_snapshot_command(
    configuration: Configuration, job: str, name: str, cancelling: bool, timeout: float, as_json: bool
) -> None:
    """Take a savepoint of a job while it runs, or with -C after its clean end."""
    from fleetflow.jobs import control  # noqa: PLC0415

    places = _places(configuration, timeout)
    taken = control.save(places, job, name, cancelling)
    _say(places, job, as_json, savepoint=taken.name)


@click.command("list-snapshots")
@JSON
@click.pass_obj
def list_snapshots_command(configuration: Configuration, as_json: bool) -> None:
    """List savepoints."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs import control  # noqa: PLC0415

    rows = control.savepoints_in(_places(configuration).savepoints)
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(
            "",
            ["savepoint", "job", "taken", "schema", "bytes", "problem"],
            [
                (
                    row["name"],
                    row["job"],
                    _shown(row["created_at"]),
                    row.get("schema"),
                    row["bytes"],
                    row["problem"],
                )
                for row in rows
            ],
        )


@click.command("delete-snapshot")
@click.argument("name")
@click.pass_obj
def delete_snapshot_command(configuration: Configuration, name: str) -> None:
    """Remove a savepoint."""
    from fleetflow.savepoints import savepoint  # noqa: PLC0415

    savepoint.delete(_places(configuration).savepoints / name)
    click.echo(f"savepoint {name} is removed")


@click.command("logs")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends, or Ctrl-C.")
@click.option(
    "--lines", type=click.IntRange(min=0), default=100, show_default=True, help="How many to begin with."
)
@click.pass_obj
def logs_command(configuration: Configuration, job: str, follow: bool, lines: int) -> None:
    """Print a job's log."""
    from fleetflow.jobs import control  # noqa: PLC0415

    control.follow(_places(configuration).job(job), lines, follow, click.echo)


@click.command("cluster")
@JSON
@click.pass_obj
def cluster_command(configuration: Configuration, as_json: bool) -> None:
    """List the processes of all running jobs, with workers and versions."""
    import socket  # noqa: PLC0415

    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs.model import jobs_in, start_time  # noqa: PLC0415

    rows = []
    for job in jobs_in(_places(configuration).jobs):
        truth, spec = job.truth(), job.read()
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
    run = configuration.table("run", RunSettings)
    click.echo(
        manifest.render(
            kind,
            manifest.Wanted(
                name,
                str(configuration.home),
                workers or run.workers,
                processes or run.processes,
                configuration.table("recovery", RecoverySettings).snapshot_s,
                image,
            ),
        ),
        nl=False,
    )


@click.command("check")
@click.argument("package", type=PACKAGE_FILE)
@click.option("-s", "--savepoint", required=True, help="The savepoint to start from.")
@JSON
@click.pass_context
def check_command(ctx: click.Context, package: Path, savepoint: str, as_json: bool) -> None:
    """Grade what would change if PACKAGE ran from a savepoint: exit code 5 when it would be refused."""
    from fleetflow.jobs import control  # noqa: PLC0415
    from fleetflow.savepoints.check import worst  # noqa: PLC0415

    spec = _spec(ctx, "check", None, None, False)
    findings = control.assess(_places(ctx.obj), spec, package, savepoint)
    _print_findings(findings, as_json)
    if not as_json:
        click.echo(worst(findings))
    if worst(findings) == "refused":
        ctx.exit(5)


@click.command("upgrade")
@click.argument("job")
@click.argument("package", type=PACKAGE_FILE)
@GUARD
@LOSSY
@TIMEOUT
@JSON
@click.pass_obj
def upgrade_command(
    configuration: Configuration,
    job: str,
    package: Path,
    guard: float,
    accept_lossy: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Put another package under a job, from where it is; the old one is back when the new one fails."""
    from fleetflow.jobs import control  # noqa: PLC0415

    places = _places(configuration, timeout)
    name, findings, downtime_ms = control.upgrade(places, job, package, guard, accept_lossy)
    _print_findings([] if as_json else findings, as_json)
    _say(places, job, as_json, savepoint=name, downtime_ms=downtime_ms)


@click.command("rollback")
@click.argument("job")
@GUARD
@TIMEOUT
@JSON
@click.pass_obj
def rollback_command(
    configuration: Configuration, job: str, guard: float, timeout: float, as_json: bool
) -> None:
    """Put the version before the last upgrade under a job, from where it is now."""
    from fleetflow.jobs import control  # noqa: PLC0415

    places = _places(configuration, timeout)
    name, findings, downtime_ms = control.rollback(places, job, guard)
    _print_findings([] if as_json else findings, as_json)
    _say(places, job, as_json, savepoint=name, downtime_ms=downtime_ms)


COMMANDS = (
    package_command,
    submit_command,
    list_jobs_command,
    suspend_command,
    resume_command,
    restart_command,
    cancel_command,
    save_snapshot_command,
    list_snapshots_command,
    delete_snapshot_command,
    logs_command,
    cluster_command,
    manifest_command,
    check_command,
    upgrade_command,
    rollback_command,
)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [jobs]."""
    return {"jobs": JobsSettings}


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return the commands for jobs and savepoints."""
    return COMMANDS
