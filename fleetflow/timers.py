"""When threads that wait for nothing in particular wake up: rather together than each at its exact moment."""

from __future__ import annotations

import ctypes
import sys

PR_SET_TIMERSLACK = 29
"""From <linux/prctl.h>, see prctl(2)."""
SLACK_S = 0.01


def wake_together() -> None:
    """Let waits that end by the clock end up to `SLACK_S` later, in this thread and those that it starts.

    Each worker of Bytewax, and its main thread, wakes a thousand times per second to see whether there is
    something to do, which takes more processor time than a small fleet's pings. Late by so much the kernel
    wakes a tenth as often. What is waited for (a batch from another worker, data on a connection, a lock)
    still wakes at once. Does nothing on systems other than Linux.
    """
    if sys.platform != "linux":
        return
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(int(SLACK_S * 1e9)), 0, 0, 0)
