"""Simulated time against the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

TICK_S = 0.2
STRETCH_PINGS = 100_000
STRETCH_ROUNDS = 10
"""How many pings a stretch has at least when nothing is waited for, in all and per truck."""


def stretches(
    stop: threading.Event,
    speedup: float,
    for_s: float | None,
    total: int | None,
    pings_per_s: float,
    vehicles: int,
    backfill: bool,
) -> Iterator[tuple[float, float]]:
    """Yield stretches (since, until) of simulated seconds, each when it has passed.

    Ends when `stop` is set, after `for_s` seconds of the clock, or when `total` pings are due at
    `pings_per_s` (per simulated second). With `backfill` nothing is waited for.
    """
    last = None if total is None else total / pings_per_s
    began = time.monotonic()
    done = 0.0
    while not stop.is_set():
        passed = time.monotonic() - began
        if for_s is not None and passed >= for_s:
            return
        until = (
            done + max(STRETCH_PINGS, STRETCH_ROUNDS * vehicles) / pings_per_s
            if backfill
            else passed * speedup
        )
        if last is not None:
            until = min(until, last)
        if until > done:
            yield done, until
            done = until
        if last is not None and done >= last:
            return
        if not backfill:
            stop.wait(TICK_S)
