"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the kernel sends this process a signal when its parent dies."""


def start(
    command: Sequence[str], environment: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches its parent alone.

    On Linux it gets SIGTERM when its parent dies, however that happens. `output` None inherits both
    streams.
    """
    return subprocess.Popen(
        command,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
        # safe beside threads: the function was looked up before the fork and calls the kernel alone
        preexec_fn=_die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
    )


def _die_with_parent() -> Callable[[], object]:
    # found before the fork: nothing may be imported or looked up between fork and exec
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_all(processes: Sequence[subprocess.Popen[bytes]], patience_s: float) -> list[int]:
    """Ask all for a clean end at once, kill what is left after `patience_s`; returns their exit codes."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return [process.returncode for process in processes]
