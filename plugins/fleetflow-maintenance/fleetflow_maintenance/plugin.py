"""What fleetflow-maintenance adds: settings, a detector, commands."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from fleetflow.config import Configuration
from fleetflow.plugins import hookimpl
from fleetflow_maintenance.commands import maintenance_group
from fleetflow_maintenance.settings import TABLE, MaintenanceSettings, settings_of

if TYPE_CHECKING:
    from fleetflow_maintenance.detector import MaintenanceDetector
    from fleetflow_maintenance.watch import Due, Watch

log = logging.getLogger(__name__)


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [maintenance]."""
    return {TABLE: MaintenanceSettings}


def watch_of(configuration: Configuration) -> Watch:
    """Return the watch over the notices and the register that the configuration names."""
    from fleetflow_maintenance.matching import match  # noqa: PLC0415 - commands need none of it
    from fleetflow_maintenance.notices import read_notices  # noqa: PLC0415
    from fleetflow_maintenance.register import Register  # noqa: PLC0415
    from fleetflow_maintenance.watch import Watch, stamp_of  # noqa: PLC0415

    settings = settings_of(configuration)
    file, register = configuration.path(settings.notices), Register.of(configuration)

    def read() -> Mapping[str, Sequence[Due]]:
        notices, problems = read_notices(file)
        for problem in problems:
            log.warning("%s: %s, it is passed over", file, problem)
        found: dict[str, list[Due]] = {}
        if notices.height:
            for due in match(notices, register.read()).iter_rows(named=True):
                found.setdefault(due["vin"], []).append(due)
        return found

    return Watch(lambda: stamp_of((file, register.file), settings.poll_s), read, settings.check_s)


@hookimpl
def fleetflow_detectors(configuration: Configuration) -> Sequence[MaintenanceDetector]:
    """Return the detector `maintenance`."""
    from fleetflow.codes import Codes  # noqa: PLC0415 - commands need none of it
    from fleetflow_maintenance.detector import MaintenanceDetector  # noqa: PLC0415

    settings = settings_of(configuration)
    return [
        MaintenanceDetector(
            watch_of(configuration), Codes.of(configuration), settings.repeat_count, settings.repeat_s
        )
    ]


@hookimpl
def fleetflow_commands() -> Sequence[click.Command]:
    """Return `fleetflow maintenance`."""
    return [maintenance_group]
