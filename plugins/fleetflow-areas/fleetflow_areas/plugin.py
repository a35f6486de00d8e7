"""The hooks of fleetflow-areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleetflow.plugins import hookimpl
from fleetflow_areas.commands import areas_group
from fleetflow_areas.settings import AreasSettings

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

    from fleetflow.config import Configuration
    from fleetflow.contracts.detector import Detector


@hookimpl
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:
    """Return the table `[areas]`."""
    return {"areas": AreasSettings}


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[Detector]:
    """Return the detector areas, or nothing when there is no file; raises AreasError for a broken one."""
    settings = configuration.table("areas", AreasSettings)
    if not settings.file:
        return []
    from fleetflow_areas.detector import AreasDetector  # noqa: PLC0415 - not needed where only settings are read
    from fleetflow_areas.file import AreasFile  # noqa: PLC0415

    return [AreasDetector(AreasFile(configuration.path(settings.file), settings.check_s))]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow areas`."""
    return [areas_group]
