"""Following the vehicles map, once for all sessions of this process."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from fleetflow.contracts.vehicles import VehiclesMap
from fleetflow.errors import FleetflowError
from fleetflow_ui.fleet import Fleet

log = logging.getLogger(__name__)
AT_ONCE = 4_000
"""Records taken over while sessions wait: about 20 ms."""


class Waiting(Protocol):
    """Who wants to know of changes at once."""

    def wake(self) -> None:
        """Take note, in another thread; must not block."""


class FleetReader:
    """Follows the change feed of the vehicles map in a thread; `fleet` is always the newest state."""

    def __init__(self, open_map: Callable[[], VehiclesMap], refresh_s: float) -> None:
        self._open_map = open_map
        self._refresh_s = refresh_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="fleet-reader", daemon=True)
        self._revision = 0
        self._doubts = 0
        self._waiting: weakref.WeakSet[Waiting] = weakref.WeakSet()
        self._lock = threading.Lock()
        self.fleet = Fleet()

    def start(self) -> FleetReader:
        """Begin to follow."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and let go of the map."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def tell(self, waiting: Waiting) -> None:
        """Call `waiting.wake()`, in the reader's thread, after each change, as long as anybody holds it."""
        with self._lock:
            self._waiting.add(waiting)

    def _follow(self) -> None:
        vehicles: VehiclesMap | None = None
        try:
            while not self._stop.is_set():
                before = self.fleet.version
                try:
                    vehicles = vehicles or self._open_map()
                    self.look(vehicles)
                except FleetflowError as error:
                    self._tell(f"{error.message} ({error.hint})" if error.hint else error.message)
                except Exception as error:
                    # somebody else's map may fail in any way: pages say so, and the next look tries again
                    self._tell(f"{type(error).__name__}: {error}", error)
                if self.fleet.version != before:
                    self._wake()
                self._stop.wait(self._refresh_s)
        finally:
            if vehicles is not None:
                vehicles.close()

    def _tell(self, problem: str, error: Exception | None = None) -> None:
        if problem != self.fleet.problem:
            log.warning("%s", problem, exc_info=error)
        self.fleet.say(problem)

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for each in waiting:
            each.wake()

    def look(self, vehicles: VehiclesMap) -> None:
        """Take over what changed since the last look."""
        changed = self._take_all(vehicles)
        if self._differs(vehicles.count(), changed):
            log.warning("the vehicles map is another one than before: it is read anew")
            self.fleet.forget()
            self._revision = 0
            self._take_all(vehicles)
        self.fleet.say("")
        if not self._stop.is_set():
            self.fleet.finish()

    def _take_all(self, vehicles: VehiclesMap) -> bool:
        """Take over what changed, some of it at a time; returns whether anything did.

        However much has changed since the last look, memory is taken for a part of it alone.
        """
        changed = False
        while not self._stop.is_set():
            changes = vehicles.changed_since(self._revision, AT_ONCE)
            if changes.revision < self._revision:
                # the store was deleted, or another one is in its place, of which everything comes
                self.fleet.forget()
            self._revision = changes.revision
            # as many as asked for, and more where many were written at once
            for start in range(0, len(changes.records), AT_ONCE):
                self.fleet.take(changes.records[start : start + AT_ONCE])
            changed = changed or bool(changes.records)
            if len(changes.records) < AT_ONCE:
                break
        return changed

    def _differs(self, count: int, changed: bool) -> bool:
        """Whether the map cannot be the one that was followed: deletions and replacements are not told.

        A few more than are known here may have come since the look before: that they are still unknown
        after a look without changes is what counts.
        """
        more = count > len(self.fleet) and not changed
        self._doubts = self._doubts + 1 if more else 0
        different = count < len(self.fleet) or self._doubts > 1
        if different:
            self._doubts = 0
        return different
