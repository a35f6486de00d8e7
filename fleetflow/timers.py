"""When threads that wait for nothing in particular wake up: rather together than each at its exact moment."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable

from fleetflow.threads import keep_state

PR_SET_TIMERSLACK = 29
"""From <linux/prctl.h>, see prctl(2)."""
SLACK_S = 0.01
QUIET_SLACK_S = 0.05
"""The slack of a thread that has next to nothing to do."""
QUIET_BYTES_PER_S = 16_384
"""What a few hundred vehicles send, each with a ping now and then."""


def wake_together() -> None:
    """Let waits that end by the clock end up to `QUIET_SLACK_S` later, in this thread and those it starts.

    Each worker of Bytewax, and its main thread, wakes a thousand times per second to see whether there is
    something to do, which takes more processor time than a small fleet's pings. Late by so much the kernel
    wakes a fiftieth as often. What is waited for (a batch from another worker, data on a connection, a lock)
    still wakes at once. Does nothing on systems other than Linux.
    """
    _set_slack(QUIET_SLACK_S)


def _set_slack(seconds: float) -> None:
    if sys.platform != "linux":
        return
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(int(seconds * 1e9)), 0, 0, 0)


class Pace:
    """How late its thread wakes, by how much that has to do: `QUIET_SLACK_S` while it is next to nothing.

    Else, and at first, it is `SLACK_S`. Made by its thread, which calls `note`; the first much at once ends
    the quiet. A worker that reads little itself counts as quiet: what others send it wakes it all the same,
    and only what it waits for by the clock, such as newer pings of a vehicle, comes later.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, set_slack: Callable[[float], None] = _set_slack
    ) -> None:
        self._clock, self._set_slack = clock, set_slack
        self._quiet = False
        set_slack(SLACK_S)
        self._since, self._bytes = clock(), 0

    def note(self, size: int) -> None:
        """Tell that so many bytes came; also of none."""
        self._bytes += size
        if self._quiet:
            if self._bytes > QUIET_BYTES_PER_S:
                self._turn(quiet=False)
            elif self._clock() - self._since >= 1:
                self._since, self._bytes = self._clock(), 0
        elif self._clock() - self._since >= 1:
            if self._bytes <= QUIET_BYTES_PER_S * (self._clock() - self._since):
                self._turn(quiet=True)
            self._since, self._bytes = self._clock(), 0

    def _turn(self, quiet: bool) -> None:
        self._quiet = quiet
        self._set_slack(QUIET_SLACK_S if quiet else SLACK_S)
        self._since, self._bytes = self._clock(), 0


_PACES = threading.local()


def own_pace() -> Pace:
    """Return the pace of the thread that asks, whichever sources and sinks it has."""
    keep_state()
    if not hasattr(_PACES, "pace"):
        _PACES.pace = Pace()
    pace: Pace = _PACES.pace
    return pace
