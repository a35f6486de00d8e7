"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the kernel sends this process a signal when its parent dies."""


def start(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches its parent alone.

    On Linux it gets SIGTERM when its parent dies, however that happens. `output` None inherits both
    streams; `descriptors` are left open for it.
    """
    return subprocess.Popen(
        command,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        pass_fds=descriptors,
        start_new_session=True,
        preexec_fn=ended_with_parent(signal.SIGTERM),  # noqa: PLW1509 - looked up before the fork
    )


def ended_with_parent(number: int) -> Callable[[], object] | None:
    """Return what a new process calls before it runs its program: its parent's end brings it signal `number`.

    None on systems other than Linux. Everything is looked up before the fork: nothing may be imported or
    looked up between fork and exec.
    """
    if sys.platform != "linux":
        return None
    prctl, parent_of, leave, parent = ctypes.CDLL(None).prctl, os.getppid, os._exit, os.getpid()
    handle, default, ends = signal.signal, signal.SIG_DFL, number != signal.SIGKILL

    def tie() -> None:
        if ends:
            # a handler of the parent's would take it, and be forgotten with the program
            handle(number, default)
        prctl(PR_SET_PDEATHSIG, number)
        # one that died before that is told of by nobody
        if parent_of() != parent:
            leave(1)

    return tie


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
