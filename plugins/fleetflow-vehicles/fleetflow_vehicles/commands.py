"""`fleetflow vehicles list|get|watch|set`."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from fleetflow.cli.output import plain
from fleetflow.config import Configuration
from fleetflow.contracts.vehicles import Record
from fleetflow.errors import FleetflowError
from fleetflow_vehicles.opening import open_map
from fleetflow_vehicles.records import EXTRA, MARKS, parse
from fleetflow_vehicles.vehicles import Vehicles

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = ("vin", "latitude", "longitude", "time", "source")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as it is stored.")


@click.group("vehicles")
def vehicles_group() -> None:
    """Look at the latest record of each vehicle, and set fields on it."""


@vehicles_group.command("list")
@JSON
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N vehicles.")
@click.option("--sort", metavar="FIELD", help="Order by a field, -FIELD for falling order  [default: vin].")
@click.pass_context
def list_command(ctx: click.Context, as_json: bool, limit: int | None, sort: str | None) -> None:
    """List all vehicles.

    In a table times are UTC. Vehicles that do not have the field to sort by come last.
    """
    with _map(ctx) as vehicles:
        rows: Iterable[tuple[str, str]] = vehicles.texts()
        if sort and sort != "vin":
            rows = _sorted(list(rows), sort)
        rows = itertools.islice(rows, limit)
        if as_json:
            _write(text for _, text in rows)
            return
        records = [parse(vin, text) for vin, text in rows]
        if not records:
            click.echo(f"there are no vehicles in {vehicles.directory}" if limit != 0 else "")
            return
        _console().print(_table(records))
        shown, count = len(records), vehicles.count()
        click.echo(f"{shown} of {_number(count)}" if shown < count else _number(shown))


@vehicles_group.command("get")
@click.argument("vin")
@JSON
@click.pass_context
def get_command(ctx: click.Context, vin: str, as_json: bool) -> None:
    """Show the record of the vehicle VIN. Ends with 1 when there is none."""
    with _map(ctx) as vehicles:
        text = vehicles.text(vin)
        if text is None:
            raise _unknown(vehicles, vin)
        if as_json:
            _write([text])
            return
        _console().print(_details(parse(vin, text)))


@vehicles_group.command("watch")
@JSON
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.05),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=30, show_default=True, metavar="N", help="Rows of the table."
)
@click.option("--all", "from_start", is_flag=True, help="With --json: begin with all vehicles there are.")
@click.pass_context
def watch_command(ctx: click.Context, as_json: bool, interval_s: float, limit: int, from_start: bool) -> None:
    """Show vehicles as they change, until Ctrl-C.

    A table of those that changed last; with --json one line per change from now on. A vehicle that
    changes more than once within the interval is told once, with its latest record.
    """
    # KeyboardInterrupt is how this ends, in whatever line it strikes
    with contextlib.suppress(KeyboardInterrupt), _map(ctx) as vehicles:
        if as_json:
            _watch_json(vehicles, interval_s, from_start)
        else:
            _watch_table(vehicles, interval_s, limit)


@vehicles_group.command("set")
@click.argument("vin")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.pass_context
def set_command(ctx: click.Context, vin: str, fields: tuple[str, ...]) -> None:
    """Set fields on the vehicle VIN that its pings do not own, such as status=stolen.

    VALUE is read as JSON, and as text when it is none; null removes the field.
    """
    values = dict(_assignment(field) for field in fields)
    with _map(ctx) as vehicles:
        record = vehicles.update(vin, values)
        if record is None:
            raise _unknown(vehicles, vin)
        for name, value in values.items():
            click.echo(f"{vin}: {name} removed" if value is None else f"{vin}: {name} = {_json(value)}")


def _map(ctx: click.Context) -> Vehicles:
    configuration: Configuration = ctx.obj
    # the main command has loaded the plugins already
    return open_map(configuration, ctx.meta.get("plugins"))


def _assignment(field: str) -> tuple[str, Any]:
    name, separator, text = field.partition("=")
    if not separator or not name.strip():
        raise click.BadParameter(f'"{field}" is not of the form FIELD=VALUE', param_hint="FIELD=VALUE")
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    return name.strip(), value


def _unknown(vehicles: Vehicles, vin: str) -> FleetflowError:
    near = vehicles.near(vin)
    vin = vin.encode("utf-8", "backslashreplace").decode()
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif vehicles.count() == 0:
        hint = f"the map {vehicles.directory} is empty: has the job run?"
    else:
        hint = "`fleetflow vehicles list` shows all"
    return FleetflowError(f'there is no vehicle "{vin}"', hint)


def _sorted(rows: list[tuple[str, str]], sort: str) -> list[tuple[str, str]]:
    field, falling = sort.removeprefix("-"), sort.startswith("-")
    have: list[tuple[tuple[int, Any], tuple[str, str]]] = []
    lack: list[tuple[str, str]] = []
    known: set[str] = set()
    for vin, text in rows:
        record = parse(vin, text)
        known |= record.keys()
        value = record.get(field)
        if value is None:
            lack.append((vin, text))
        else:
            have.append((_rank(value), (vin, text)))
    if rows and field not in known:
        raise FleetflowError(
            f'no vehicle has a field "{field}" to sort by', f"they have: {', '.join(sorted(known))}"
        )
    have.sort(key=lambda pair: pair[0], reverse=falling)
    return [row for _, row in have] + lack


def _rank(value: object) -> tuple[int, Any]:
    """Make values of all JSON types comparable: numbers, then text, then the rest by its text."""
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, _json(value))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _write(lines: Iterable[str]) -> None:
    """Write lines as UTF-8, whatever the locale is; a reader that has gone away ends the program."""
    out = sys.stdout.buffer
    iterator = iter(lines)
    try:
        while chunk := list(itertools.islice(iterator, 1000)):
            out.write("".join(f"{line}\n" for line in chunk).encode("utf-8"))
        out.flush()
    except BrokenPipeError:
        # nobody reads any more; what Python flushes at exit must not fail either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _watch_json(vehicles: Vehicles, interval_s: float, from_start: bool) -> None:
    revision = 0 if from_start else vehicles.revision()
    for revision_rows in _changes(vehicles, revision, interval_s):
        _write(text for _, text in revision_rows)


def _watch_table(vehicles: Vehicles, interval_s: float, limit: int) -> None:
    from rich.live import Live  # noqa: PLC0415 - slow to import, and most commands do not need it

    revision = vehicles.revision()
    with Live(_recent(vehicles, limit), console=_console(), auto_refresh=False) as live:
        live.refresh()
        for _ in _changes(vehicles, revision, interval_s):
            live.update(_recent(vehicles, limit), refresh=True)


def _changes(vehicles: Vehicles, revision: int, interval_s: float) -> Iterator[Sequence[tuple[str, str]]]:
    pause = threading.Event()
    while True:
        revision, rows = vehicles.texts_since(revision)
        if rows:
            yield rows
        pause.wait(interval_s)


def _recent(vehicles: Vehicles, limit: int) -> Table:
    records = [parse(vin, text) for vin, text in vehicles.latest(limit)]
    return _table(records, f"{_number(vehicles.count())}, those that changed last")


def _table(records: Sequence[Record], title: str = "") -> Table:
    from rich import box  # noqa: PLC0415 - slow to import, and most commands do not need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    others = sorted({name for record in records for name in record} - {*COLUMNS, *EXTRA, "sequence", MARKS})
    names = [*COLUMNS, *others]
    table = Table(*names, title=title or None, box=box.SIMPLE, title_justify="left")
    for record in records:
        table.add_row(*(Text(_cell(name, record.get(name)), overflow="fold") for name in names))
    return table


def _details(record: Record) -> Table:
    from rich import box  # noqa: PLC0415 - slow to import, and most commands do not need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("field", "value", box=box.SIMPLE)
    for name, value in record.items():
        table.add_row(Text(plain(name)), Text(_cell(name, value), overflow="fold"))
    return table


def _cell(name: str, value: object) -> str:
    return plain(_text(name, value))


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in ("time", "received_at") and isinstance(value, int | float):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return value if isinstance(value, str) else _json(value)


def _console() -> Console:
    """Return a console as wide as the terminal, and wide enough for whole rows when there is none."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and most commands do not need it

    console = Console()
    return console if console.is_terminal else Console(width=200)


def _number(count: int) -> str:
    return f"{count} vehicle{'' if count == 1 else 's'}"
