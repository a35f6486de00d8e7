"""The hooks of fleetflow-alpha."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleetflow.plugins import hookimpl
from fleetflow_alpha.settings import AlphaSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fleetflow.config import Configuration
    from fleetflow.contracts.source import Source


@hookimpl
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:
    """Return the table `[alpha]`."""
    return {"alpha": AlphaSettings}


@hookimpl
def fleetflow_sources(configuration: Configuration) -> Sequence[Source]:
    """Return the source alpha, or nothing when its directory is the empty string."""
    from fleetflow_alpha.source import AlphaSource  # noqa: PLC0415 - not needed where only settings are read

    settings = configuration.table("alpha", AlphaSettings)
    return [AlphaSource(configuration.path(settings.dir), settings)] if settings.dir else []
