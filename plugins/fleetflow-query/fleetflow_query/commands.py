"""`fleetflow query`, `fleetflow select` and `fleetflow deselect`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from fleetflow.errors import FleetflowError
from fleetflow_query import answers

if TYPE_CHECKING:
    from fleetflow.contracts.vehicles import VehiclesMap
    from fleetflow_query.asking import DuckQuery


@click.command("query")
@click.argument("expression", required=False, metavar="[EXPR]")
@click.option("--sql", "statement", metavar="SELECT", help="Instead of EXPR: one SELECT statement.")
@click.option(
    "--format",
    "form",
    type=click.Choice(answers.FORMATS),
    default="table",
    show_default=True,
    help="How to show the answer.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json: one object per line.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N rows.")
@click.pass_context
def query_command(
    ctx: click.Context,
    expression: str | None,
    statement: str | None,
    form: str,
    as_json: bool,
    limit: int | None,
) -> None:
    """Show the vehicles for which EXPR holds, or the answer to a SELECT.

    EXPR is what could stand after WHERE, in the SQL of DuckDB: "latitude between 35 and 37 and 'P0171' in
    obd_codes". A SELECT may read the tables vehicles, events and rejects; `describe vehicles` lists columns.
    """
    if (expression is None) == (statement is None):
        raise FleetflowError(
            "query needs either a condition or --sql",
            "fleetflow query \"'P0171' in obd_codes\", or fleetflow query --sql 'from vehicles limit 5'",
        )
    form = "json" if as_json else form
    with _query(ctx) as query:
        if expression is not None:
            answers.show_records(query.where(expression, limit), form)
        else:
            answers.show_rows(query.sql(str(statement), limit), form)


@click.command("select")
@click.argument("expression", metavar="EXPR")
@click.pass_context
def select_command(ctx: click.Context, expression: str) -> None:
    """Give the vehicles for which EXPR holds the status SELECTED: the map shows them in green.

    The status that a vehicle had comes back with `fleetflow deselect`.
    """
    from fleetflow_query.selection import select  # noqa: PLC0415 - kept quick: see hookspecs

    with _query(ctx) as query, _map(ctx) as vehicles:
        click.echo(f"{_count(select(vehicles, query.where(expression)))} selected")


@click.command("deselect")
@click.argument("expression", required=False, default="true", metavar="[EXPR]")
@click.pass_context
def deselect_command(ctx: click.Context, expression: str) -> None:
    """Take the status SELECTED from all vehicles, or from those for which EXPR holds."""
    from fleetflow_query.selection import deselect  # noqa: PLC0415 - kept quick: see hookspecs

    with _query(ctx) as query, _map(ctx) as vehicles:
        click.echo(f"{_count(deselect(vehicles, query.where(expression)))} deselected")


def _count(vehicles: int) -> str:
    return f"{vehicles} vehicle{'' if vehicles == 1 else 's'}"


@contextlib.contextmanager
def _query(ctx: click.Context) -> Iterator[DuckQuery]:
    from fleetflow_query.opening import open_query  # noqa: PLC0415 - DuckDB is slow to import

    # the main command has loaded the plugins already
    with contextlib.closing(open_query(ctx.obj, ctx.meta.get("plugins"))) as query:
        yield query


@contextlib.contextmanager
def _map(ctx: click.Context) -> Iterator[VehiclesMap]:
    from fleetflow_query.opening import active_plugins, open_map  # noqa: PLC0415 - DuckDB is slow to import

    active = ctx.meta.get("plugins") or active_plugins(ctx.obj)
    with contextlib.closing(open_map(ctx.obj, active)) as vehicles:
        yield vehicles
