"""The events that this process stored last, so that whoever tells of them need not read them back."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from fleetflow.contracts.detector import Event

MOST = 10_000
"""So many events are held, a flood of them: 20 MB. Who is further behind reads from the store."""


class Recent:
    """Stored events by the number of their row. Several threads may put and ask."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, first_row: int, events: Sequence[Event]) -> None:
        """Take events that were just stored, in rows from `first_row` on without gaps."""
        with self._lock:
            self._events.update(enumerate(events, first_row))
            while len(self._events) > self._most:
                self._events.popitem(last=False)

    def after(self, row: int, limit: int) -> Sequence[Event]:
        """Return the events of the next rows, at most `limit`, up to the first one that is not here."""
        found = []
        with self._lock:
            for number in range(row + 1, row + 1 + limit):
                event = self._events.get(number)
                if event is None:
                    break
                found.append(event)
        return found
