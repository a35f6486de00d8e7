"""One thing that several shards of a process use, open as long as one of them does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Lease(Generic[Thing]):
    """The right of one user; `value` is what all of them use."""

    def __init__(self, value: Thing, give_back: Callable[[], None]) -> None:
        self.value = value
        self._give_back: Callable[[], None] | None = give_back

    def release(self) -> None:
        """Stop using it; more than once is as once."""
        if self._give_back is not None:
            give_back, self._give_back = self._give_back, None
            give_back()


class Shared(Generic[Thing]):
    """Opens something for its first user and closes it after its last one. From any thread.

    Users of one connection to a store wait for each other by a lock, and go on at once. With connections of
    their own they would wait by the clock, as SQLite does, which wakes late here (`fleetflow.timers`).
    """

    def __init__(self, open_: Callable[[], Thing], close: Callable[[Thing], None]) -> None:
        self._open, self._close = open_, close
        self._lock = threading.Lock()
        self._users = 0
        self._thing: Thing | None = None

    def lease(self) -> Lease[Thing]:
        """Begin to use it; raises what opening raises."""
        with self._lock:
            if self._thing is None:
                self._thing = self._open()
            self._users += 1
            return Lease(self._thing, self._release)

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._thing is not None:
                thing, self._thing = self._thing, None
                self._close(thing)
