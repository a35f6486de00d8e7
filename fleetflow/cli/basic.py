"""`fleetflow plugins` and `fleetflow config`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fleetflow.cli.output import print_json, print_table

if TYPE_CHECKING:
    from fleetflow.config import Configuration
    from fleetflow.plugins import Plugins

COMMANDS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


@click.command("plugins")
@COMMANDS_JSON
@click.pass_context
def plugins_command(ctx: click.Context, as_json: bool) -> None:
    """List the plugins: version, where from, hooks, and what is wrong with one that cannot be used."""
    plugins: Plugins = ctx.meta["plugins"]
    if as_json:
        for info in plugins.infos:
            print_json(asdict(info))
    else:
        print_table(
            "",
            ["plugin", "distribution", "version", "state", "hooks", "from"],
            [
                (
                    info.name,
                    info.distribution,
                    info.version,
                    info.state,
                    info.problem or ", ".join(hook.removeprefix("fleetflow_") for hook in info.hooks),
                    info.origin,
                )
                for info in plugins.infos
            ],
        )
    if any(info.state == "failed" for info in plugins.infos):
        ctx.exit(1)


@click.group("config")
def config_group() -> None:
    """Show the settings."""


@config_group.command("show")
@COMMANDS_JSON
@click.pass_obj
def config_show(configuration: Configuration, as_json: bool) -> None:
    """Print each setting, its value, where it is from, and what it means."""
    if as_json:
        values = configuration.as_dict()
        for value in configuration.values():
            print_json(
                {
                    "table": value.table,
                    "key": value.key,
                    "value": values[value.table][value.key],
                    "origin": value.origin,
                    "variable": value.variable,
                    "help": value.help,
                }
            )
        return
    print_table(
        "",
        ["setting", "value", "from", "meaning"],
        [
            (f"[{value.table}] {value.key}", _shown(value.value), value.origin, value.help)
            for value in configuration.values()
        ],
    )


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
