"""What fleetflow-mileage adds: settings, a detector, a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_mileage.commands import mileage_group
from fleetflow_mileage.settings import MileageSettings

if TYPE_CHECKING:
    from fleetflow_mileage.detector import MileageDetector


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [mileage]."""
    return {"mileage": MileageSettings}


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[MileageDetector]:
    """Return the detector `mileage`."""
    from fleetflow.motion.travel import Rule  # noqa: PLC0415 - loads numpy and Polars, which commands do without
    from fleetflow_mileage.detector import MileageDetector  # noqa: PLC0415
    from fleetflow_mileage.limits import Limits  # noqa: PLC0415
    from fleetflow_mileage.table import MileageTable  # noqa: PLC0415

    settings = configuration.table("mileage", MileageSettings)
    limits, groups = (
        configuration.path(name) if name else None for name in (settings.limits, settings.groups)
    )
    return [
        MileageDetector(
            rule=Rule.of(settings.noise_m, settings.max_kmh),
            time_zone=settings.time_zone,
            limits=Limits.read(settings.limit_km, limits, groups),
            table=MileageTable(configuration.path(settings.dir), settings.keep_days),
        )
    ]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow mileage`."""
    return [mileage_group]
