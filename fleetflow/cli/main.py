"""The entry point: global options, and the commands of the core and of all plugins."""

from __future__ import annotations

import io
import sqlite3
import sys
from pathlib import Path

import click

from fleetflow import __version__
from fleetflow.cli.basic import config_group, plugins_command
from fleetflow.cli.demo import demo_command
from fleetflow.cli.loading import begin, load
from fleetflow.cli.output import print_error
from fleetflow.cli.run import run_command
from fleetflow.errors import FleetflowError, PluginError
from fleetflow.memory import SELDOM, keep_loaded

CORE = (run_command, demo_command, plugins_command, config_group)


class FleetflowGroup(click.Group):
    """Finds the plugins' commands when they are needed, so that `fleetflow run --help` stays quick."""

    def _everything(self, ctx: click.Context) -> dict[str, click.Command]:
        found: dict[str, click.Command] = ctx.meta.get("fleetflow.commands", {})
        if not found:
            found = {str(command.name): command for command in CORE}
            plugins, _ = load(ctx)
            commands: list[click.Command] = plugins.gather(
                "fleetflow_commands", "command", lambda command: str(command.name)
            )
            for command in commands:
                if command.name in {core.name for core in CORE}:
                    raise PluginError(
                        f'the command "{command.name}" of a plugin is one of the core\'s',
                        "rename it in the plugin",
                    )
                found[str(command.name)] = command
            ctx.meta["fleetflow.commands"] = found
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(self._everything(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; the core's without asking the plugins for theirs."""
        core = {str(command.name): command for command in CORE}
        return core.get(cmd_name) or self._everything(ctx).get(cmd_name)


@click.group(cls=FleetflowGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fleetflow")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file  [default: fleetflow.toml].")
@click.option(
    "--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE", help="One setting, before all others."
)
@click.option(
    "--log-level", multiple=True, metavar="[LOGGER=]LEVEL", help="Level for all, or for one logger."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Text for people, JSON for programs.")
@click.option("--log-config", metavar="FILE", help="A dictConfig in TOML or JSON, instead of the above.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.pass_context
def cli(ctx: click.Context, /, **_: object) -> None:
    """Live picture of a vehicle fleet, from a job that can be changed while it runs.

    Settings come from fleetflow.toml, then FLEETFLOW_<TABLE>_<KEY> in the environment, then flags;
    `fleetflow config show` prints each with where it is from.
    """
    # a job loads what it needs itself, if it is to run in this process
    if ctx.invoked_subcommand != run_command.name:
        begin(ctx)
        keep_loaded(SELDOM)


def main() -> None:
    """Run the command line: errors of ours become a message and a hint, and an exit code."""
    debug = "--debug" in sys.argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        # what the terminal cannot show must not end the command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli.main(prog_name="fleetflow")
    except (FleetflowError, OSError, sqlite3.Error) as error:
        if debug:
            raise
        print_error(error)
        sys.exit(error.exit_code if isinstance(error, FleetflowError) else 1)
