"""The hooks of fleetflow-speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleetflow.plugins import hookimpl
from fleetflow_speed.settings import SpeedSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fleetflow.config import Configuration
    from fleetflow.contracts.detector import Detector


@hookimpl
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:
    """Return the table `[speed]`."""
    return {"speed": SpeedSettings}


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[Detector]:
    """Return the detector speed."""
    from fleetflow_speed.detector import SpeedDetector  # noqa: PLC0415 - not needed where only settings are read

    return [SpeedDetector(configuration.table("speed", SpeedSettings))]
