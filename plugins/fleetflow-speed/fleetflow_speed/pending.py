"""Fixes whose windows are still open, per vehicle."""

from __future__ import annotations

import numpy as np

from fleetflow.motion.runs import Floats, Integers, grown, spread

LEAST_ROOM = 4


class Pending:
    """A list of fixes (time, latitude, longitude) per vehicle, all in three arrays.

    Each vehicle has a stretch of them with some room to grow; one that outgrows it moves to the end. So a
    batch costs what its own vehicles hold, not what all vehicles hold.
    """

    def __init__(self) -> None:
        self._start: Integers = np.zeros(0, np.int64)
        self._room: Integers = np.zeros(0, np.int64)
        self._end = 0
        self.size: Integers = np.zeros(0, np.int64)
        self.time: Integers = np.zeros(0, np.int64)
        self.latitude: Floats = np.zeros(0, np.float64)
        self.longitude: Floats = np.zeros(0, np.float64)

    def fit(self, vehicles: int) -> None:
        """Make room for so many vehicles."""
        self._start = grown(self._start, vehicles, 0)
        self._room = grown(self._room, vehicles, 0)
        self.size = grown(self.size, vehicles, 0)

    def append(
        self, vehicles: Integers, counts: Integers, time: Integers, latitude: Floats, longitude: Floats
    ) -> None:
        """Add `counts[i]` fixes to `vehicles[i]` (each once), given one vehicle after the other."""
        self._make_room(vehicles, self.size[vehicles] + counts)
        where = spread(self._start[vehicles] + self.size[vehicles], counts)
        self.time[where], self.latitude[where], self.longitude[where] = time, latitude, longitude
        self.size[vehicles] += counts

    def rows(self, vehicles: Integers) -> Integers:
        """Return the rows of some vehicles in the arrays, one vehicle after the other."""
        return spread(self._start[vehicles], self.size[vehicles])

    def replace(
        self, vehicles: Integers, counts: Integers, time: Integers, latitude: Floats, longitude: Floats
    ) -> None:
        """Keep only the given fixes of some vehicles."""
        self._make_room(vehicles, counts)
        where = spread(self._start[vehicles], counts)
        self.time[where], self.latitude[where], self.longitude[where] = time, latitude, longitude
        self.size[vehicles] = counts

    def _make_room(self, vehicles: Integers, needed: Integers) -> None:
        lacking = needed > self._room[vehicles]
        if not lacking.any():
            return
        if self._end + 2 * needed[lacking].sum() + LEAST_ROOM * lacking.sum() > len(self.time):
            self._move_all(vehicles, needed)
            return
        vehicles, room = vehicles[lacking], np.maximum(LEAST_ROOM, 2 * needed[lacking])
        start = self._end + np.cumsum(room) - room
        source, target = self.rows(vehicles), spread(start, self.size[vehicles])
        for column in (self.time, self.latitude, self.longitude):
            column[target] = column[source]
        self._start[vehicles], self._room[vehicles] = start, room
        self._end += int(room.sum())

    def _move_all(self, vehicles: Integers, needed: Integers) -> None:
        """Lay everything out anew, without the stretches that were left and the room nobody needs."""
        source = self.rows(np.arange(len(self.size)))
        wanted = self.size.copy()
        wanted[vehicles] = needed
        self._room = np.where(wanted > 0, np.maximum(LEAST_ROOM, 2 * wanted), 0)
        self._start = np.cumsum(self._room) - self._room
        self._end = int(self._room.sum())
        target = spread(self._start, self.size)
        for name in ("time", "latitude", "longitude"):
            old = getattr(self, name)
            new = np.zeros(2 * self._end, old.dtype)
            new[target] = old[source]
            setattr(self, name, new)
