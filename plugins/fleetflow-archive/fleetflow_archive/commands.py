"""`fleetflow trail`, `fleetflow replay` and `fleetflow archive stat|files|compact`."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.errors import FleetflowError
from fleetflow_archive.times import Time, shown

if TYPE_CHECKING:
    import polars as pl

    from fleetflow_archive.archive import Archive

AS_CSV = click.option("--csv", "as_csv", is_flag=True, help="CSV with a header; lists as JSON.")
SINCE = click.option("--since", type=Time(), help="From this time on  [default: the beginning].")
UNTIL = click.option("--until", type=Time(), help="Up to this time  [default: the end].")
SLICE_S = 900.0
"""Event time that a replay reads at once."""
BEGINNING, END = -math.inf, math.inf


@click.command("trail")
@click.argument("vin")
@SINCE
@UNTIL
@click.option(
    "--limit", type=click.IntRange(1), default=10_000, show_default=True, help="The newest N pings."
)
@AS_JSON
@AS_CSV
@click.pass_context
def trail_command(
    ctx: click.Context,
    vin: str,
    since: float | None,
    until: float | None,
    limit: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show where the vehicle VIN has been: its pings, by time.

    TIME is ISO 8601, UTC unless it has an offset, or seconds since 1970.
    """
    pings = _archive(ctx).trail(vin, _or(since, BEGINNING), _or(until, END), limit)
    if not pings.height and not (as_json or as_csv):
        click.echo(f"the archive has no pings of {vin} in this time")
        return
    _show(pings, as_json, as_csv)


@click.command("replay")
@click.option("--at", "moment", type=Time(), help="Show the fleet as it was at this time.")
@click.option("--from", "since", type=Time(), help="Show all pings from this time on, by time.")
@click.option("--to", "until", type=Time(), help="With --from: up to this time  [default: the end].")
@click.option(
    "--speed", type=click.FloatRange(0, min_open=True), help="With --from: N times as fast as it was."
)
@AS_JSON
@AS_CSV
@click.pass_context
def replay_command(
    ctx: click.Context,
    moment: float | None,
    since: float | None,
    until: float | None,
    speed: float | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show the fleet as it was, at one time or over a stretch of time.

    With --at: per vehicle the newest ping up to then, as a job that had read no further would have it.
    With --from: every ping as a JSON object per line; without --speed as fast as they can be read.
    """
    if (moment is None) == (since is None):
        raise FleetflowError(
            "replay needs either --at or --from", "fleetflow replay --at 2026-11-24T10:00:00Z"
        )
    archive = _archive(ctx)
    if since is not None:
        if as_csv:
            raise FleetflowError("a replay of a stretch of time is JSON", "leave --csv out")
        _play(archive, since, _or(until, END), speed)
        return
    moment = float(moment or 0.0)
    if as_json:
        for record in archive.at(moment):
            print_json(record)
        return
    fleet = archive.fleet(moment)
    if not fleet.height and not as_csv:
        click.echo(f"the archive has no pings up to {shown(moment)}")
        return
    _show(fleet, as_json, as_csv)


def _play(
    archive: Archive,
    since: float,
    until: float,
    speed: float | None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    started, first = time.monotonic(), None
    for pings in _slices(archive, since, until):
        for record in pings.iter_rows(named=True):
            if speed is not None:
                first = record["time"] if first is None else first
                wait = (record["time"] - first) / speed - (time.monotonic() - started)
                if wait > 0:
                    sys.stdout.flush()
                    sleep(wait)
            print_json(record)


def _slices(archive: Archive, since: float, until: float) -> Iterator[pl.DataFrame]:
    """Yield pings by time in bounded portions; stretches without any cost nothing."""
    files = [part.file for part in archive.parts(since, until)]
    begin = max(since, min((file.since for file in files if file.since is not None), default=END))
    end = min(until, max((file.until for file in files if file.until is not None), default=BEGINNING))
    while begin <= end:
        stop = min(math.nextafter(begin + SLICE_S, BEGINNING), end)
        if any(file.may_hold(begin, stop) for file in files):
            yield archive.between(begin, stop)
        begin = math.nextafter(stop, END)


@click.group("archive")
def archive_group() -> None:
    """Look at the archive of pings, and tidy it up."""


@archive_group.command("stat")
@AS_JSON
@click.pass_context
def stat_command(ctx: click.Context, as_json: bool) -> None:
    """Show how much the archive holds."""
    archive = _archive(ctx)
    manifests = archive.manifests()
    logs = [log for content in manifests.values() for log in content.logs]
    files = [file for log in logs for file in log.files]
    since = min((file.since for file in files if file.since is not None), default=None)
    until = max((file.until for file in files if file.until is not None), default=None)
    aside = archive.aside()
    numbers: dict[str, Any] = {
        "directory": str(archive.directory),
        "pings": sum(file.rows for file in files),
        "bytes": sum(file.size for file in files),
        "files": len(files),
        "days": len({file.day for file in files}),
        "shards": len(manifests),
        "logs": len({log.id for log in logs}),
        "since": since,
        "until": until,
        "aside_files": len(aside),
        "aside_bytes": sum(path.stat().st_size for path in aside),
    }
    if as_json:
        print_json(numbers)
        return
    numbers |= {"since": shown(since), "until": shown(until)}
    print_table("", ["", "archive"], list(numbers.items()))


@archive_group.command("files")
@SINCE
@UNTIL
@click.pass_context
def files_command(ctx: click.Context, since: float | None, until: float | None) -> None:
    """List the Parquet files that hold the archive now, for other programs to read."""
    for part in _archive(ctx).parts(_or(since, BEGINNING), _or(until, END)):
        click.echo(str(part.path))


@archive_group.command("compact")
@click.option("--forget-missing", is_flag=True, help="Give up files that are no longer there.")
@click.pass_obj
def compact_command(configuration: Configuration, forget_missing: bool) -> None:
    """Merge the files of each day and sort them by vehicle, while no job runs.

    A running job merges small files by itself. Trails are quicker in sorted files.
    """
    from fleetflow_archive.compacting import compact  # noqa: PLC0415 - Polars is slow to import
    from fleetflow_archive.settings import ArchiveSettings  # noqa: PLC0415

    settings = configuration.table("archive", ArchiveSettings)
    before, after = compact(configuration.path(settings.dir), settings, forget_missing)
    click.echo(f"{before} files before, {after} after")


def _archive(ctx: click.Context) -> Archive:
    from fleetflow_archive.opening import open_archive  # noqa: PLC0415 - Polars is slow to import

    # the main command has loaded the plugins already
    return open_archive(ctx.obj, ctx.meta.get("plugins"))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _show(pings: pl.DataFrame, as_json: bool, as_csv: bool) -> None:
    if as_json:
        for record in pings.iter_rows(named=True):
            print_json(record)
    elif as_csv:
        click.echo(_flat(pings).write_csv(), nl=False)
    else:
        rows = (
            [shown(value) if name in {"time", "received_at"} else _cell(value) for name, value in row.items()]
            for row in pings.iter_rows(named=True)
        )
        print_table("", pings.columns, rows)


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _flat(pings: pl.DataFrame) -> pl.DataFrame:
    """Return `pings` with lists as JSON: CSV has none."""
    import polars as pl  # noqa: PLC0415 - slow to import

    lists = [name for name, dtype in pings.schema.items() if isinstance(dtype, pl.List)]
    return pings.with_columns(
        # a struct of one field, written as {"codes":[…]}: what is between is the list
        pl.struct(pl.col(name).alias("l")).struct.json_encode().str.slice(5).str.head(-1).alias(name)
        for name in lists
    )
