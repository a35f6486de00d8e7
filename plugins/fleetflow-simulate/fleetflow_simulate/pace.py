"""Simulated time against the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

TICK_S = 0.2
STRETCH_PINGS = 100_000
STRETCH_ROUNDS = 10
"""How many pings a stretch has at most, in all or per truck: memory is bounded, each call pays."""


class Waiter(Protocol):
    """What is asked whether to stop: a `Stop`, or a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether to stop."""

    def wait(self, seconds: float, /) -> bool:
        """Wait for at most `seconds`; return whether to stop."""


def stretches(
    stop: Waiter,
    speedup: float,
    for_s: float | None,
    total: int | None,
    pings_per_s: float,
    vehicles: int,
) -> Iterator[tuple[float, float]]:
    """Yield stretches (since, until) of simulated seconds, each when it has passed.

    Ends when `stop` is set, after `for_s` seconds of the clock, or when `total` pings are due at
    `pings_per_s` (per simulated second). With an infinite `speedup` nothing is waited for.
    """
    last = float("inf") if total is None else total / pings_per_s
    longest = max(STRETCH_PINGS, STRETCH_ROUNDS * vehicles) / pings_per_s
    began = time.monotonic()
    done = 0.0
    while not stop.is_set():
        passed = time.monotonic() - began
        if for_s is not None and passed >= for_s:
            return
        # the clock stands at 0 in the first round, and 0 times infinity is nothing
        due = min(passed * speedup if passed else 0.0, last)
        until = min(due, done + longest)
        if until > done:
            yield done, until
            done = until
        if done >= last:
            return
        if done >= due:
            stop.wait(TICK_S if for_s is None else min(TICK_S, for_s - passed))
