"""The source alpha: a directory of CSV files, split into partitions by file name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleetflow_alpha.names import partition
from fleetflow_alpha.partition import AlphaPartition
from fleetflow_alpha.scanner import Scanner
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.state import load

NAME = "alpha"


class AlphaSource:
    """Reads the files of `directory` that match the pattern; sub-directories are not entered.

    Guarantee: from any position every whole line that follows it is emitted once, in order per file, as
    long as its file is there. The partitions that are open in one process share one scan of the directory.
    """

    name = NAME

    def __init__(self, directory: Path, settings: AlphaSettings) -> None:
        self._settings = settings
        self._scanner = Scanner(str(directory), settings)
        self._numbers = {partition(NAME, number): number for number in range(settings.shards)}

    def partitions(self) -> Sequence[str]:
        """Return `alpha-00`, `alpha-01`, …: as many as `shards` says, whatever files there are."""
        return tuple(self._numbers)

    def open(self, partition: str, position: Any | None) -> AlphaPartition:
        """Open a partition; raises StoreError for a position that this version cannot read."""
        states = load(position, partition)
        return AlphaPartition(
            NAME, partition, self._numbers[partition], states, self._scanner, self._settings
        )
