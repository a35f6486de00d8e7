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
    from fleetflow.contracts.judge import Judge


@hookimpl
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:
    """Return the table `[speed]`."""
    return {"speed": SpeedSettings}


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[Detector]:
    """Return the detector speed."""
    from fleetflow_speed.detector import SpeedDetector  # noqa: PLC0415 - not needed where only settings are read

    return [SpeedDetector(configuration.table("speed", SpeedSettings))]


@hookimpl
def fleetflow_judges(configuration: Configuration) -> Sequence[Judge]:
    """Return the rule position_jump, if it is switched on."""
    settings = configuration.table("speed", SpeedSettings)
    if not settings.reject_jumps:
        return []
    from fleetflow_speed.jumps import JumpJudge  # noqa: PLC0415 - not needed where only settings are read

    return [JumpJudge(settings.jump_kmh, settings.jump_confirm)]
