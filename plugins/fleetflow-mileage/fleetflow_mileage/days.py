"""Which local day a time belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from fleetflow.motion.runs import Floats, Integers


class Days:
    """The days of a time zone: from the first moment of a date to the first moment of the next one.

    On days when clocks change that is 23 or 25 hours. Where a midnight is skipped, the day begins when the
    clock is put forward; where it comes twice, the first one counts. Days are numbered as
    `datetime.date.toordinal` does. Not for several threads at once.
    """

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._first = 0
        self._starts: Floats = np.empty(0)

    def start(self, day: int) -> float:
        """Return when a day begins, in seconds since 1970."""
        at = date.fromordinal(day)
        return datetime(at.year, at.month, at.day, tzinfo=self._zone).timestamp()

    def starts(self, first: int, last: int) -> Floats:
        """Return when each day from `first` to `last` begins, in seconds since 1970."""
        self._cover(first, last)
        return self._starts[first - self._first : last + 1 - self._first]

    def of(self, times: Floats) -> Integers:
        """Return the day of each time (seconds since 1970); at least one is needed."""
        low, high = float(times.min()), float(times.max())
        self._cover(self._roughly(low) - 1, self._roughly(high) + 2)
        a, b = np.searchsorted(self._starts, (low, high), "right")
        if a == b:
            return np.full(times.shape[0], self._first + int(a) - 1)
        if b - a == 1:
            # one midnight, as mostly: comparing is quicker than searching
            return np.where(times >= self._starts[a], self._first + int(a), self._first + int(a) - 1)
        within = np.searchsorted(self._starts[a:b], times, "right")
        return self._first + int(a) - 1 + within.astype(np.int64)

    def _roughly(self, time: float) -> int:
        # not fromtimestamp: some zones put the clock back over midnight, so that a date comes twice
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time)).toordinal()

    def _cover(self, low: int, high: int) -> None:
        if not self._starts.size:
            self._first = low
        last = self._first + self._starts.size
        before = [self.start(day) for day in range(low, self._first)]
        after = [self.start(day) for day in range(last, high + 1)]
        if before or after:
            self._starts = np.concatenate((before, self._starts, after))
            self._first -= len(before)


def iso(day: int) -> str:
    """Return a day as text, such as 2026-11-24."""
    return date.fromordinal(day).isoformat()
