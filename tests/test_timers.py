"""Threads that wait by the clock wake together."""

import subprocess
import sys

import pytest

from fleetflow.timers import SLACK_S

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
    assert int(found.stdout) == SLACK_S * 1e9
