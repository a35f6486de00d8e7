"""Where pings stand, looked up when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from fleetflow.contracts.payload import Place

Locate = Callable[[Sequence[int]], Sequence[Place]]


class Known:
    """Places that were looked up."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(places)

    def __call__(self, rows: Sequence[int]) -> Sequence[Place]:
        """Return the places of some rows."""
        return [self._places[row] for row in rows]


class Lookup:
    """The places of some rows out of those that `locate` knows.

    Looking up costs some microseconds per place, so it waits until a place is needed: which almost none is.
    What can look up cannot leave its process; on the way to another one all places are looked up.
    """

    def __init__(self, locate: Locate, rows: pl.Series) -> None:
        self._locate = locate
        self._rows = rows

    def __call__(self, rows: Sequence[int]) -> Sequence[Place]:
        """Return the places of some rows, by their numbers in `rows`."""
        return self._locate(self._rows.gather(list(rows)).to_list())

    def __reduce__(self) -> tuple[type[Known], tuple[Sequence[Place]]]:
        return Known, (self._locate(self._rows.to_list()),)
