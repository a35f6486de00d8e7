"""What a command needs: plugins and settings, loaded once, and logging as these say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fleetflow.errors import ConfigurationError

if TYPE_CHECKING:
    from fleetflow.config import Configuration
    from fleetflow.plugins import Plugins


def load(ctx: click.Context) -> tuple[Plugins, Configuration]:
    """Return plugins and settings as the options before the command say; loaded when first asked for.

    Most of a command's time. Commands find them as `ctx.meta["plugins"]` and `ctx.obj`.
    """
    from fleetflow import application  # noqa: PLC0415 - who only starts other processes needs none of it

    root = ctx.find_root()
    if root.obj is None:
        parameters = root.params
        flags = _flags(parameters.get("settings") or ())
        for option, key in (("log_level", "level"), ("log_format", "format"), ("log_config", "config")):
            if parameters.get(option):
                flags.setdefault("log", {})[key] = parameters[option]
        plugins, configuration = application.load(parameters.get("config"), flags=flags)
        root.meta["fleetflow.flags"], root.meta["plugins"], root.obj = flags, plugins, configuration
    return root.meta["plugins"], root.obj


def begin(ctx: click.Context) -> tuple[Plugins, Configuration]:
    """Return plugins and settings for a command that is about to run, with logging as they say."""
    from fleetflow import logs  # noqa: PLC0415 - as above

    plugins, configuration = load(ctx)
    logs.configure(configuration)
    return plugins, configuration


def environment_of(configuration: Configuration, flags: dict[str, dict[str, object]]) -> dict[str, str]:
    """Return the variables that give a child process the same settings as this one."""
    variables = {"FLEETFLOW_HOME": str(configuration.home)}
    for table, keys in flags.items():
        for key, value in keys.items():
            text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            variables[f"FLEETFLOW_{table}_{key}".upper()] = text
    return variables


def _flags(settings: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    flags: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        table, dot, key = name.partition(".")
        if not separator or not dot:
            raise ConfigurationError(f'--set "{setting}" is not a setting', "write --set table.key=value")
        flags.setdefault(table.strip(), {})[key.strip()] = value
    return flags
