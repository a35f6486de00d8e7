"""`fleetflow codes show|list`."""

from __future__ import annotations

import click

from fleetflow.cli.output import AS_JSON, print_json, print_table
from fleetflow.codes.codes import Codes
from fleetflow.config import Configuration


@click.group("codes")
def codes_group() -> None:
    """Look up engine and body codes."""


def _print(rows: list[tuple[str, str | None, str]], as_json: bool) -> None:
    if as_json:
        for code, title, severity in rows:
            print_json({"code": code, "title": title, "severity": severity})
    else:
        print_table("", ["code", "severity", "title"], [(c, s, t or "(not known)") for c, t, s in rows])


@codes_group.command("show")
@click.argument("codes", nargs=-1, required=True, metavar="CODE...")
@AS_JSON
@click.pass_obj
def show_command(configuration: Configuration, codes: tuple[str, ...], as_json: bool) -> None:
    """Show the title and the severity of codes."""
    known = Codes.of(configuration)
    _print([(code.strip().upper(), known.title(code), known.severity(code)) for code in codes], as_json)


@codes_group.command("list")
@click.option("--prefix", default="", help="Only codes that begin so, such as P01.")
@AS_JSON
@click.pass_obj
def list_command(configuration: Configuration, prefix: str, as_json: bool) -> None:
    """List known codes."""
    known = Codes.of(configuration)
    _print([(code, title, known.severity(code)) for code, title in known.items(prefix)], as_json)
