"""The hooks of this plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fleetflow.plugins import hookimpl

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fleetflow.config import Configuration
    from fleetflow.contracts.source import Source


@hookimpl
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:
    """Return the table `[beta]`."""
    from fleetflow_beta.settings import BetaSettings  # noqa: PLC0415 - the command line imports this module

    return {"beta": BetaSettings}


@hookimpl
def fleetflow_sources(configuration: Configuration) -> Sequence[Source]:
    """Return the source `beta`, or nothing when no URL is configured."""
    from fleetflow_beta.settings import BetaSettings  # noqa: PLC0415 - the command line imports this module

    if not configuration.table("beta", BetaSettings).url:
        return []
    from fleetflow_beta.source import BetaSource  # noqa: PLC0415 - requests is slow to import

    return [BetaSource.from_configuration(configuration)]
