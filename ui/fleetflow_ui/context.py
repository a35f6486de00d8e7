"""What the pages of one server process share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fleetflow.config import Configuration
from fleetflow.contracts.page import Page
from fleetflow.plugins import Plugins
from fleetflow_ui.settings import UiSettings
from fleetflow_ui.snapshot import FleetReader

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Shared:
    """Things that all sessions of a page share, such as a reader of its own: made at first use, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._things: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        """Return the thing of this name; the first call makes it."""
        with self._lock:
            if name not in self._things:
                self._things[name] = make()
            thing: T = self._things[name]
            return thing

    def close(self) -> None:
        """Close what has a method `close`."""
        with self._lock:
            things, self._things = list(self._things.values()), {}
        for thing in things:
            if hasattr(thing, "close"):
                thing.close()


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by all sessions; `tiles` is False where no server offers the built-in map's tiles.

    Pages reach stores through `configuration` (`Ledger.of(configuration)`) and what plugins offer through
    `plugins` (`plugins.at_most_one("fleetflow_history", ...)`). What all sessions of a page need once is kept
    in `shared`.
    """

    settings: UiSettings
    reader: FleetReader
    pages: Sequence[Page]
    tiles: bool
    plugins: Plugins
    configuration: Configuration
    shared: Shared = field(default_factory=Shared)


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
