"""Commands that put another version under a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetflow.builtin.jobs.options import (
    GUARD,
    JSON,
    LOSSY,
    PACKAGE_FILE,
    REJECTS,
    TIMEOUT,
    WATCH,
    places_of,
    print_findings,
    say,
    spec_of,
)
from fleetflow.builtin.jobs.signals import interruptible
from fleetflow.config import Configuration

if TYPE_CHECKING:
    from fleetflow.jobs.places import Places
    from fleetflow.jobs.upgrade import Outcome


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


@click.command("check")
@click.argument("package", type=PACKAGE_FILE)
@click.option("-s", "--savepoint", required=True, help="The savepoint to start from.")
@JSON
@click.pass_context
def check_command(ctx: click.Context, package: Path, savepoint: str, as_json: bool) -> None:
    """Grade what would change if PACKAGE ran from a savepoint: exit code 5 when it would be refused."""
    from fleetflow.jobs import upgrade  # noqa: PLC0415
    from fleetflow.savepoints.check import worst  # noqa: PLC0415

    spec = spec_of(ctx, "check", None, None, False)
    findings = upgrade.assess(places_of(ctx.obj), spec, package, savepoint)
    print_findings(findings, as_json)
    if not as_json:
        click.echo(worst(findings))
    if worst(findings) == "refused":
        ctx.exit(5)


@click.command("upgrade")
@click.argument("job")
@click.argument("package", type=PACKAGE_FILE)
@click.option(
    "--rehearse", is_flag=True, help="Run it on a copy first; go on only when nothing would be lost."
)
@click.option("--rehearse-only", is_flag=True, help="Run it on a copy, and leave the job as it is.")
@click.option(
    "--rehearse-wait",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    help="Seconds to wait for something to read in a rehearsal.",
)
@GUARD
@WATCH
@REJECTS
@LOSSY
@TIMEOUT
@JSON
@click.pass_obj
def upgrade_command(
    configuration: Configuration,
    job: str,
    package: Path,
    rehearse: bool,
    rehearse_only: bool,
    rehearse_wait: float,
    guard: float,
    watch: float,
    guard_rejects: float,
    accept_lossy: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Put another package under a job, from where it is; the old one is back when the new one fails."""
    from fleetflow.jobs import upgrade  # noqa: PLC0415
    from fleetflow.jobs.guard import Bounds  # noqa: PLC0415

    places = places_of(configuration, timeout)
    wanted = upgrade.Rehearsal(rehearse_wait, only=rehearse_only) if rehearse or rehearse_only else None
    bounds = Bounds(guard, watch, guard_rejects)
    with interruptible():
        outcome = upgrade.upgrade(places, job, package, bounds, accept_lossy, wanted)
    _tell(places, job, outcome, as_json)


@click.command("rollback")
@click.argument("job")
@GUARD
@WATCH
@REJECTS
@TIMEOUT
@JSON
@click.pass_obj
def rollback_command(
    configuration: Configuration,
    job: str,
    guard: float,
    watch: float,
    guard_rejects: float,
    timeout: float,
    as_json: bool,
) -> None:
    """Put the version before the last upgrade under a job, from where it is now."""
    from fleetflow.jobs import upgrade  # noqa: PLC0415
    from fleetflow.jobs.guard import Bounds  # noqa: PLC0415

    places = places_of(configuration, timeout)
    with interruptible():
        outcome = upgrade.rollback(places, job, Bounds(guard, watch, guard_rejects))
    _tell(places, job, outcome, as_json)


def _tell(places: Places, job: str, outcome: Outcome, as_json: bool) -> None:
    from fleetflow.cli.output import plain  # noqa: PLC0415

    print_findings([] if as_json else outcome.findings, as_json)
    more: dict[str, Any] = {}
    if outcome.rehearsal is not None:
        if not as_json:
            click.echo(plain(outcome.rehearsal["text"]))
        more["rehearsal"] = {k: v for k, v in outcome.rehearsal.items() if k != "text"} if as_json else ""
    if outcome.savepoint:
        more |= {"savepoint": outcome.savepoint, "downtime_ms": outcome.downtime_ms}
        more["certificate"] = str(outcome.certificate or "")
    say(places, job, as_json, **more)
