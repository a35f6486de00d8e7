"""What was fetched and not yet drained: the one place where a service's thread and the dataflow meet."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition

from fleetflow.contracts.source import Emission
from fleetflow_beta.reached import Reached


@dataclass(frozen=True, slots=True)
class Item:
    """What one step brought: what to emit, and how far the service is read once it is."""

    emissions: tuple[Emission, ...]
    reached: Reached
    pings: int = 0
    size: int = 0


LONGER = 10
LONGEST_S = 0.5
AGAIN_S = 0.03
"""How long at most until it is looked again whether what is gathered is enough."""
MOST_BYTES = 16 << 20
"""Bytes of pages beyond which no further page is fetched ahead."""


class Ahead:
    """A bounded queue, with what is known of the service beyond it.

    `put` waits for room, all else returns at once. After `stop`, nothing waits. While the service has more,
    pages are gathered for up to `gather_s` seconds: to decode and to write a few hundred pings costs nearly
    as much as some thousands. As long as it goes on to have more they are gathered for longer each time, up
    to `LONGER` times as long and `LONGEST_S`: that is a history, in which no ping is news.
    """

    def __init__(self, most: int, gather_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._gather_s = gather_s
        self._clock = clock
        self._longer = 1
        self._size = 0
        self._due_at = 0.0
        self._condition = Condition()
        self._items: deque[Item] = deque()
        self._stopped = False
        self._settled = False
        self._given_up = False
        self._more = False
        self._awake_at = 0.0
        self._bug: BaseException | None = None

    def put(self, item: Item | None, more: bool) -> None:
        """Add what an answer brought, if anything; `more` is whether the service may have more now."""
        with self._condition:
            self._append(item)
            self._more, self._settled, self._given_up = more, not more, False
            if not more:
                self._longer = 1

    def fail(self, item: Item | None, give_up: bool) -> None:
        """Add what is to be told of a failure, if anything; `give_up` ends the wait for the service."""
        with self._condition:
            self._append(item)
            self._settled = False
            self._given_up = self._given_up or give_up
            # what is there need not wait for what may not come
            self._due_at = self._clock()

    def take(self, max_bytes: int) -> list[Item]:
        """Return what is there, about `max_bytes` of it; raises what `break_off` was given."""
        taken: list[Item] = []
        with self._condition:
            if self._gathering_s() > 0:
                return taken
            size = 0
            while self._items and (not taken or size + self._items[0].size <= max_bytes):
                item = self._items.popleft()
                size += item.size
                taken.append(item)
            self._size -= size
            if taken and self._more:
                self._longer = min(2 * self._longer, LONGER)
            if taken:
                self._condition.notify_all()
            elif self._bug is not None:
                raise self._bug
        return taken

    def caught_up(self) -> bool:
        """Whether all is taken, and the service had no more or is given up."""
        with self._condition:
            return not self._items and self._bug is None and (self._settled or self._given_up)

    def behind(self) -> tuple[int, bool]:
        """Return the pings that wait here, and whether the service may have more."""
        with self._condition:
            return sum(item.pings for item in self._items), self._more

    def next_take_s(self) -> float:
        """Return the seconds until there may be something to take; 0 when there is."""
        with self._condition:
            if self._items or self._bug is not None:
                # it may be full, or the last one come, before that
                return min(self._gathering_s(), AGAIN_S)
            return max(0.02, self._awake_at - self._clock())

    def sleeps(self, pause_s: float) -> None:
        """Take note that nothing comes for so long."""
        with self._condition:
            self._awake_at = self._clock() + pause_s

    def break_off(self, bug: BaseException) -> None:
        """Let `take` raise, once all before is taken."""
        with self._condition:
            self._bug = bug

    def stop(self) -> None:
        """Let nothing wait any more."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def _append(self, item: Item | None) -> None:
        if item is not None:
            self._condition.wait_for(lambda: not self._full() or self._stopped)
            if not self._items:
                self._due_at = self._clock() + self._gathered_for_s()
            self._items.append(item)
            self._size += item.size

    def _gathered_for_s(self) -> float:
        # who sets a long time does not want to wait ten times as long
        return min(self._gather_s * self._longer, max(self._gather_s, LONGEST_S))

    def _full(self) -> bool:
        return len(self._items) >= self._most or self._size >= MOST_BYTES

    def _gathering_s(self) -> float:
        """Return the seconds for which what is there may still wait for more."""
        if not self._items or not self._more or self._bug is not None or self._stopped or self._full():
            return 0.0
        return max(0.0, self._due_at - self._clock())
