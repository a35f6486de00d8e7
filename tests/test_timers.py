"""Threads that wait by the clock wake together."""

import subprocess
import sys

import pytest

from fleetflow.timers import QUIET_BYTES_PER_S, QUIET_SLACK_S, SLACK_S, Pace

IN_A_NEW_THREAD = """
import ctypes, threading
from fleetflow.timers import wake_together

wake_together()
PR_GET_TIMERSLACK = 30
thread = threading.Thread(target=lambda: print(ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)))
thread.start()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is Linux's own")
def test_threads_started_later_may_wake_late():
    # in a process of its own: the slack of a thread stays
    found = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_THREAD], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) == QUIET_SLACK_S * 1e9


def test_a_thread_with_next_to_nothing_to_do_wakes_later_until_much_comes():
    now, told = [100.0], []
    pace = Pace(lambda: now[0], told.append)
    for size in (QUIET_BYTES_PER_S, 0, 1):
        pace.note(size)
    now[0] += 1
    pace.note(0)
    # one byte too many in the first second
    assert told == [SLACK_S]
    now[0] += 1.5
    pace.note(QUIET_BYTES_PER_S)
    assert told == [SLACK_S, QUIET_SLACK_S]
    for _ in range(3):
        now[0] += 1
        pace.note(QUIET_BYTES_PER_S)
    assert told == [SLACK_S, QUIET_SLACK_S]
    pace.note(1000)
    pace.note(QUIET_BYTES_PER_S)
    assert told == [SLACK_S, QUIET_SLACK_S, SLACK_S]
