"""The hooks: the detector and the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_crash.commands import crash_group
from fleetflow_crash.settings import CrashSettings

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

    from fleetflow_crash.detector import CrashDetector


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [crash]."""
    return {"crash": CrashSettings}


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[CrashDetector]:
    """Return the detector, unless no code counts."""
    from fleetflow_crash import cities  # noqa: PLC0415 - Polars is slow to import, and only a job needs it
    from fleetflow_crash.detector import CrashDetector  # noqa: PLC0415

    settings = configuration.table("crash", CrashSettings)
    if not settings.codes:
        return []
    return [CrashDetector(settings.codes, settings.clear_after_s, cities.load())]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow crash`."""
    return [crash_group]
