"""`fleetflow quarantine list|show|count|requeue`."""

from __future__ import annotations

import base64
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.config import Configuration
from fleetflow.errors import FleetflowError
from fleetflow.quarantine.settings import folder_of
from fleetflow.quarantine.store import GROUPS, Quarantined, QuarantineReader, QuarantineStore, Selection

SOURCE = click.option("--source", help="Only of this source.")
RULE = click.option("--rule", help="Only those that broke this rule.")
SHOWN_BYTES = 60


@click.group("quarantine")
def quarantine_group() -> None:
    """Look at rejected records, and put them back through."""


def _reader(configuration: Configuration) -> QuarantineReader:
    return QuarantineReader(folder_of(configuration))


def _object(reject: Quarantined) -> dict[str, Any]:
    fields = asdict(reject)
    raw = fields.pop("raw")
    fields["raw_base64"] = base64.b64encode(raw).decode()
    try:
        fields["raw"] = raw.decode()
    except UnicodeDecodeError:
        fields["raw"] = None
    return fields


def _escaped(raw: bytes, most: int | None = None) -> str:
    """Return bytes as printable ASCII: no escape sequence of a vendor reaches the terminal."""
    shown = raw if most is None else raw[:most]
    return repr(shown)[2:-1] + ("…" if len(shown) < len(raw) else "")


@quarantine_group.command("list")
@SOURCE
@RULE
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="How many, newest first."
)
@AS_JSON
@click.pass_obj
def list_command(
    configuration: Configuration, source: str | None, rule: str | None, limit: int, as_json: bool
) -> None:
    """List rejects, newest first."""
    found = _reader(configuration).rejects(Selection(source=source, rule=rule), limit)
    if as_json:
        for reject in found:
            print_json(_object(reject))
        return
    print_table(
        "",
        ["id", "rule", "source", "where", "state", "raw"],
        [
            (
                r.id,
                r.rule,
                r.source,
                f"{r.resource} [{r.start}, {r.end})",
                r.state,
                _escaped(r.raw, SHOWN_BYTES),
            )
            for r in found
        ],
    )


@quarantine_group.command("show")
@click.argument("reject_id", metavar="ID", type=int)
@click.option("--raw", is_flag=True, help="Only the raw bytes, as they are.")
@AS_JSON
@click.pass_obj
def show_command(configuration: Configuration, reject_id: int, raw: bool, as_json: bool) -> None:
    """Show one reject."""
    reject = next(_reader(configuration).rejects(Selection(ids=(reject_id,))), None)
    if reject is None:
        raise FleetflowError(f"there is no reject {reject_id}", "`fleetflow quarantine list` shows the ids")
    if raw:
        sys.stdout.buffer.write(reject.raw)
    elif as_json:
        print_json(_object(reject))
    else:
        rows: dict[str, Any] = {**asdict(reject), "raw": _escaped(reject.raw)}
        for name in ("received_at", "quarantined_at"):
            rows[name] = datetime.fromtimestamp(rows[name], UTC).isoformat(timespec="milliseconds")
        print_table("", ["field", "value"], list(rows.items()))


@quarantine_group.command("count")
@click.option("--by", type=click.Choice(GROUPS), default="rule", show_default=True)
@AS_JSON
@click.pass_obj
def count_command(configuration: Configuration, by: str, as_json: bool) -> None:
    """Count rejects."""
    counts = _reader(configuration).counts(by)
    if as_json:
        print_json(counts)
    else:
        print_table("", [by, "rejects"], list(counts.items()))


@quarantine_group.command("requeue")
@click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@SOURCE
@RULE
@click.pass_obj
def requeue_command(
    configuration: Configuration, ids: tuple[int, ...], everything: bool, source: str | None, rule: str | None
) -> None:
    """Put records back through, after a rule or the schema was mended.

    The running job, or the next one, reads them as source `requeue`.
    """
    if not (ids or everything or source or rule):
        raise FleetflowError("nothing was chosen to be requeued", "give ids, --rule, --source or --all")
    store = QuarantineStore(folder_of(configuration))
    try:
        count = store.requeue(Selection(ids=ids, source=source, rule=rule))
    finally:
        store.close()
    click.echo(f"{count} requeued")
