"""Commands for savepoints."""

from __future__ import annotations

import click

from fleetflow.builtin.jobs.options import JSON, TIMEOUT, places_of, say, shown
from fleetflow.config import Configuration


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
    from fleetflow.jobs import exports  # noqa: PLC0415

    places = places_of(configuration, timeout)
    taken = exports.save(places, job, name, cancelling)
    say(places, job, as_json, savepoint=taken.name)


@click.command("list-snapshots")
@JSON
@click.pass_obj
def list_snapshots_command(configuration: Configuration, as_json: bool) -> None:
    """List savepoints."""
    from fleetflow.cli.output import print_json, print_table  # noqa: PLC0415
    from fleetflow.jobs import exports  # noqa: PLC0415

    rows = exports.savepoints_in(places_of(configuration).savepoints)
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
                    shown(row["created_at"]),
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

    if not savepoint.NAME.fullmatch(name):
        raise savepoint.SavepointError(f'"{name}" cannot name a savepoint', "`fleetflow list-snapshots`")
    savepoint.delete(places_of(configuration).savepoints / name)
    click.echo(f"savepoint {name} is removed")
