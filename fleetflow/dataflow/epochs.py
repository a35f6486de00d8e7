"""When the partitions of one worker are to be asked, so that all end their epochs together."""

from __future__ import annotations

USUAL_S = 0.15
"""What it takes all steps to end an epoch: what is under way is written, and everything is saved."""
MOST_S = 0.25
"""How much later than it could an epoch may end."""
LATE_S = 0.06
"""Whoever sleeps is woken so late without anything being the matter, see `fleetflow.timers`."""
NEAR_S = 0.1
"""Whoever asks to be woken so shortly before an epoch ends may be woken after it."""
SHORTEST_S = 0.5
"""Epochs that are shorter are left alone."""


class Epochs:
    """The epochs of the partitions that one worker has of one source; times are seconds, of any clock.

    In Bytewax 0.21 such partitions end an epoch at the first moment that one of them is awake after the
    interval, which begins anew then; after it they are asked nothing until everybody has ended that epoch,
    and meanwhile they are awake all the time. So who sleeps between two looks is later each time, and who has
    ended already is not: what the ones wait for the others would grow by a tenth of a second per epoch, for
    as long as a job runs, up to whole epochs in which nothing is read. Therefore partitions are awake when
    their epoch can end, and who has had to wait ends the next one so much later, by `MOST_S` at most; who has
    more to hand out is not made to sleep.
    """

    def __init__(self, interval_s: float) -> None:
        """`interval_s` is how long epochs last, at least."""
        self._interval_s = interval_s
        self._ended_at: float | None = None
        self._waiting: set[str] = set()
        self._later_s = 0.0

    def ended(self, partition: str, now: float) -> None:
        """Take note that the epoch of a partition ends: of each, one right after the other."""
        self._waiting.add(partition)
        if self._ended_at is None or now - self._ended_at > self._interval_s / 2:
            self._ended_at = now

    def asked(self, partition: str, now: float, awake_at: float) -> None:
        """Take note that a partition is asked that wanted to be so at `awake_at`."""
        # others may be asked before their epoch ends in the same moment
        if partition in self._waiting and self._ended_at is not None:
            # who is asked when it wanted to be has had to wait no longer than it wanted to sleep
            waited_s = now - self._ended_at if now - awake_at > LATE_S else 0.0
            self._later_s = min(max(0.0, waited_s - USUAL_S), MOST_S)
            self._waiting.clear()

    def wake_at(self, awake_at: float, now: float) -> float:
        """Return when a partition is to be woken that wants to be so at `awake_at`."""
        # who has more is asked at once
        if self._ended_at is None or awake_at <= now or self._interval_s < SHORTEST_S:
            return awake_at
        due = self._ended_at + self._interval_s
        end = due + self._later_s
        return awake_at if awake_at < due - NEAR_S or end <= now else end
