"""How far a service has been read: the part of a position that belongs to one URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetflow.errors import StoreError
from fleetflow_beta.page import Mark

VERSION = 1


@dataclass(frozen=True, slots=True)
class Reached:
    """How far one service has been read.

    `since` is the highest sequence read, -1 before the first. `generation` counts how often the service
    has started again, from 1. `mark` is the last ping that could be identified, `anchor` the last one that
    the service was asked for again and still had: when its content differs, the service has started again
    since, even if its sequences have passed ours.
    """

    generation: int = 1
    since: int = -1
    mark: Mark | None = None
    anchor: Mark | None = None

    def resource(self, url: str) -> str:
        """Name what the sequences count in: the URL, from the second generation on with its number."""
        return url if self.generation == 1 else f"{url}~{self.generation}"

    def plain(self) -> dict[str, Any]:
        """Return the entry of a position."""
        return {
            "generation": self.generation,
            "since": self.since,
            "mark": self.mark,
            "anchor": self.anchor,
        }


def from_plain(entry: Mapping[str, Any]) -> Reached:
    """Return what `Reached.plain` wrote."""
    mark, anchor = entry["mark"], entry["anchor"]
    return Reached(
        entry["generation"],
        entry["since"],
        None if mark is None else (mark[0], mark[1]),
        None if anchor is None else (anchor[0], anchor[1]),
    )


def entries(position: Any | None) -> dict[str, dict[str, Any]]:
    """Return the entries of a stored position by URL; raises StoreError for a version not known here."""
    if position is None:
        return {}
    version = position.get("v")
    if version != VERSION:
        raise StoreError(
            f"a stored position of source beta has version {version}, this fleetflow-beta knows {VERSION}",
            "install the fleetflow-beta that wrote it, or a newer one",
        )
    return {url: dict(entry) for url, entry in position["urls"].items()}


def position_of(urls: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a position to store."""
    return {"v": VERSION, "urls": {url: dict(entry) for url, entry in urls.items()}}
