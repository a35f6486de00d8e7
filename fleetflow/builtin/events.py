"""Built-in events: a sink, notifiers and commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from pydantic import BaseModel, BeforeValidator, Field, Secret, SecretStr, field_validator

from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration, Settings
from fleetflow.errors import ConfigurationError
from fleetflow.events import address
from fleetflow.events.commands import events_group
from fleetflow.events.notifiers import FileNotifier, LogNotifier
from fleetflow.events.sink import EventsSink
from fleetflow.plugins import hookimpl

if TYPE_CHECKING:
    from fleetflow.contracts.notifier import Notifier


class WebhookUrl(Secret[str]):
    """A URL of which only the host is shown: the rest is often what lets one write there."""

    def _display(self) -> str:
        return address.shown(self.get_secret_value())


def _text(value: object) -> object:
    # checked here, because pydantic's own message would show what was given
    if not isinstance(value, str | Secret | SecretStr):
        raise ConfigurationError("[events] webhook_url and webhook_secret must be texts", "use quotes")
    return value


class EventsSettings(Settings):
    """The table [events]."""

    dir: Path = Field(Path("data/events"), description="folder of the events' store")
    keep: int = Field(100_000, ge=1, description="how many events stay; the oldest go")
    log: bool = Field(True, description="whether each event's message is written to the log")
    file: str = Field("", description="a file to append each event to, as JSON lines; empty: none")
    webhook_url: Annotated[WebhookUrl, BeforeValidator(_text)] = Field(
        WebhookUrl(""), description="where to post events to; empty: nowhere"
    )
    webhook_secret: Annotated[SecretStr, BeforeValidator(_text)] = Field(
        SecretStr(""), description="the secret that signs what is posted; empty: not signed"
    )

    @field_validator("webhook_url")
    @classmethod
    def _usable(cls, url: WebhookUrl) -> WebhookUrl:
        if url.get_secret_value():
            try:
                address.check(url.get_secret_value())
            except ValueError as error:
                # raised here, because pydantic's own message would show the secret
                raise ConfigurationError(
                    f"[events] webhook_url = {url}: {error}", "write it as https://host/path"
                ) from None
        return url


def folder_of(configuration: Configuration) -> Path:
    """Return the folder of the events' store."""
    return configuration.path(configuration.table("events", EventsSettings).dir)


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
