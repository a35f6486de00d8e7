"""Built-in events: a sink, notifiers and commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration
from fleetflow.events.commands import events_group
from fleetflow.events.notifiers import FileNotifier, LogNotifier
from fleetflow.events.settings import EventsSettings, folder_of
from fleetflow.events.sink import EventsSink
from fleetflow.plugins import hookimpl

if TYPE_CHECKING:
    from fleetflow.contracts.notifier import Notifier


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [events]."""
    return {"events": EventsSettings}


@hookimpl
def fleetflow_sinks(configuration: Configuration) -> Sequence[EventsSink]:
    """Return the observer that keeps events."""
    keep = configuration.table("events", EventsSettings).keep
    return [EventsSink(folder_of(configuration), keep, partial(_notifiers, configuration))]


def _notifiers(configuration: Configuration) -> Sequence[Notifier]:
    """Ask all plugins: hooks are handed the configuration alone."""
    from fleetflow import plugins  # noqa: PLC0415 - only a job needs it

    active = plugins.load(configuration.table("plugins", PluginsSettings).disabled)
    found: list[Notifier] = active.gather(
        "fleetflow_notifiers", "notifier", lambda notifier: notifier.name, configuration
    )
    return found


@hookimpl
def fleetflow_notifiers(configuration: Configuration) -> Sequence[Notifier]:
    """Return the notifiers that are turned on."""
    settings = configuration.table("events", EventsSettings)
    found: list[Notifier] = [LogNotifier()] if settings.log else []
    if settings.file:
        found.append(FileNotifier(configuration.path(settings.file)))
    if settings.webhook_url.get_secret_value():
        from fleetflow.events.webhook import WebhookNotifier  # noqa: PLC0415 - slow to import

        found.append(
            WebhookNotifier(
                settings.webhook_url.get_secret_value(), settings.webhook_secret.get_secret_value()
            )
        )
    return found


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow events`."""
    return [events_group]
