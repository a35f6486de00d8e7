"""Engine codes that appear and clear, and rarely an airbag's."""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence

CODES = ("P0171", "P0300", "P0420", "P0128", "P0217", "P0442", "P0507", "P0700", "U0100", "C0035", "B1342")
CRASH_CODE = "B0001"
"""Driver frontal stage 1 deployment control: the vehicle stands still from then on."""
CRASH_SHARE = 0.01
SHORTEST_S, LONGEST_S = 300.0, 7200.0


class FaultHistory:
    """What is wrong with one vehicle, as a function of seconds since its start.

    Faults begin at random with `rate` per hour, last 5 minutes to 2 hours, and about one in a hundred is a
    crash. Extended as needed; the same whatever it is asked and in which order.
    """

    def __init__(self, rng: random.Random, rate: float) -> None:
        self._rng = rng
        self._rate = rate
        self._faults: list[tuple[float, float, str]] = []
        self._known_until = 0.0
        self._changes: list[float] = []
        self._codes: list[tuple[str, ...]] = [()]
        self.crash_at: float | None = None

    def _extend(self, until: float) -> None:
        if self._rate <= 0 or self._known_until > until or self.crash_at is not None:
            return
        while self._known_until <= until and self.crash_at is None:
            self._known_until += self._rng.expovariate(self._rate / 3600.0)
            if self._rng.random() < CRASH_SHARE:
                self.crash_at = self._known_until
                self._faults.append((self._known_until, float("inf"), CRASH_CODE))
            else:
                lasts = self._rng.uniform(SHORTEST_S, LONGEST_S)
                self._faults.append((self._known_until, self._known_until + lasts, self._rng.choice(CODES)))
        self._changes = sorted({moment for start, end, _ in self._faults for moment in (start, end)})
        self._codes = [()] + [
            tuple(sorted({code for start, end, code in self._faults if start <= moment < end}))
            for moment in self._changes
        ]

    def crashed_by(self, until: float) -> float | None:
        """Return when the vehicle crashed, if it did so up to `until`."""
        self._extend(until)
        return self.crash_at if self.crash_at is not None and self.crash_at <= until else None

    def codes(self, moments: Sequence[float]) -> list[tuple[str, ...]]:
        """Return the codes that are set at each of the rising `moments`."""
        if not moments:
            return []
        self._extend(moments[-1])
        if not self._changes:
            return [()] * len(moments)
        return [self._codes[bisect.bisect_right(self._changes, moment)] for moment in moments]
