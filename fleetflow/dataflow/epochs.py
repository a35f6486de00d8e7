"""When the partitions of one process are to be asked, so that all end their epochs together."""

from __future__ import annotations

import threading
from collections.abc import Iterable

USUAL_S = 0.15
"""What it takes all steps to end an epoch: what is under way is written, and everything is saved."""
MOST_S = 0.25
"""How much later than it could an epoch may end because of other processes."""
LATE_S = 0.06
"""Whoever sleeps is woken so late without anything being the matter, see `fleetflow.timers`."""
NEAR_S = 0.1
"""Whoever asks to be woken so shortly before its epoch can end may be woken after it."""
ASLEEP_S = 2.0
"""Nobody is made to sleep longer, such as when the clock was put back."""
OPENING_S = 0.02
"""A first epoch begins so shortly after its partition was opened."""
SHORTEST_S = 0.5
"""Epochs that are shorter are left alone."""


class Epochs:
    """The epochs of all partitions that one process reads; times are seconds, of any clock.

    In Bytewax 0.21 a partition ends an epoch at the first moment that it is awake after the interval, which
    begins anew then; after it, it is asked nothing until everybody has ended that epoch, and meanwhile it is
    awake all the time. So who sleeps between two looks is later each time, and who has ended already is not:
    what the ones wait for the others would grow by a tenth of a second per epoch, for as long as a job runs,
    up to whole epochs in which nothing is read. Therefore all partitions are woken in the moment in which the
    last of them can end, and are not awake shortly before it. Of other processes nothing is known but that
    they had to be waited for: then the next epoch ends so much later, by `MOST_S` at most. Who has more to
    hand out is not made to sleep.

    May be used by several threads.
    """

    def __init__(self, interval_s: float) -> None:
        """`interval_s` is how long epochs last, at least."""
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._everywhere: set[str] = set()
        self._begun: dict[str, tuple[int, float]] = {}
        self._waiting: set[str] = set()
        self._later_s = 0.0

    def expect(self, partitions: Iterable[str]) -> None:
        """Tell which partitions there are, in all processes."""
        with self._lock:
            self._everywhere.update(partitions)

    def opened(self, partition: str, now: float) -> None:
        """Take note that a partition is read by this process: its first epoch begins."""
        with self._lock:
            self._began(partition, now + OPENING_S)

    def ended(self, partition: str, now: float) -> None:
        """Take note that a partition ends an epoch, and the next one begins."""
        with self._lock:
            self._waiting.add(partition)
            self._began(partition, now)

    def _began(self, partition: str, now: float) -> None:
        number, _ = self._begun.get(partition, (-1, 0.0))
        self._begun[partition] = number + 1, now

    def _last_begun(self, number: int) -> float:
        """Return when the last partition began the epoch that one is in which began so many."""
        # who ended it already waits, and when its next one ends is of no interest yet
        return max(at for begun, at in self._begun.values() if begun <= number)

    def asked(self, partition: str, now: float, awake_at: float) -> None:
        """Take note that a partition is asked that wanted to be so at `awake_at`."""
        # others may be asked before their epoch ends in the same moment
        if partition not in self._waiting:
            return
        with self._lock:
            self._waiting.clear()
            number, _ = self._begun[partition]
            # who is asked when it wanted to be has had to wait no longer than it wanted to sleep
            waited_s = now - self._last_begun(number) if now - awake_at > LATE_S else 0.0
            alone = self._everywhere <= self._begun.keys()
            self._later_s = 0.0 if alone else min(max(0.0, waited_s - USUAL_S), MOST_S)

    def wake_at(self, partition: str, awake_at: float, now: float) -> float:
        """Return when a partition is to be woken that wants to be so at `awake_at`."""
        # who has more is asked at once
        if partition not in self._begun or awake_at <= now or self._interval_s < SHORTEST_S:
            return awake_at
        number, began = self._begun[partition]
        due = began + self._interval_s
        # in the moment in which its epoch ends nothing is known of the next end
        if awake_at < due - NEAR_S or now >= due:
            return awake_at
        with self._lock:
            end = self._last_begun(number) + self._interval_s + self._later_s
        return end if now < end <= now + ASLEEP_S else awake_at
