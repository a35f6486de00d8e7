"""The table [events], and where it puts the events' store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, Secret, SecretStr, field_validator

from fleetflow.config import Configuration, Settings
from fleetflow.errors import ConfigurationError
from fleetflow.events import address


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
