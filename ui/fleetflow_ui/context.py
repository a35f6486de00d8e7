"""What the pages of one server process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetflow.config import Configuration
from fleetflow.contracts.page import Page
from fleetflow.plugins import Plugins
from fleetflow_ui.settings import UiSettings
from fleetflow_ui.snapshot import FleetReader

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by all sessions; `tiles` is False where no server offers the built-in map's tiles.

    Pages reach stores through `configuration` (`Ledger.of(configuration)`) and what plugins offer through
    `plugins` (`plugins.at_most_one("fleetflow_history", ...)`).
    """

    settings: UiSettings
    reader: FleetReader
    pages: Sequence[Page]
    tiles: bool
    plugins: Plugins
    configuration: Configuration


def make(plugins: Plugins, configuration: Configuration, tiles: bool) -> Context:
    """Open the vehicles map through whichever plugin provides it, and gather the pages."""
    settings = configuration.table("ui", UiSettings)
    pages: list[Page] = plugins.gather("fleetflow_pages", "page", lambda page: page.url, configuration)

    def open_map() -> object:
        return plugins.only(
            "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", configuration
        )

    reader = FleetReader(open_map, settings.refresh_s).start()  # type: ignore[arg-type] # as the hook says
    ordered = sorted(pages, key=lambda page: (page.order, page.url))
    return Context(settings, reader, ordered, tiles, plugins, configuration)
