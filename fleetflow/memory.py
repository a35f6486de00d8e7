"""How memory is handed out and collected: much is loaded once, and large blocks are used again and again."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
"""From <malloc.h> of the GNU C library, see mallopt(3)."""
LARGEST_BLOCK = 32 << 20
"""The largest threshold that mallopt(3) admits on machines of 64 bits."""
KEPT_BYTES = 256 << 20

NUMPY_SETTINGS = {"NUMPY_MADVISE_HUGEPAGE": "0", "OPENBLAS_NUM_THREADS": "1"}
"""What numpy and its library for linear algebra are told by the environment before they are loaded.

- By default numpy asks for huge pages for large arrays; see "Global configuration options" in its manual. The
  kernel clears 2 MiB for the first byte of one: a twentieth of a backfill's time with all detectors.
- By default OpenBLAS starts a thread per core, which spins for a while when it begins; see "Setting the
  number of threads" in its manual. Nothing here multiplies large matrices: a seventh of the processor time
  of a start.
"""

LOADING = (1_000_000, 50, 100)
RUNNING = (700, 10, 10)
SELDOM = (10_000, 10, 10)
"""Thresholds of Python's collector, see gc.set_threshold: more than loading makes, what Python begins with,
and what suits a job and a command, which hold thousands of objects for a moment and make few cycles."""


def load_quickly() -> None:
    """Collect garbage seldom from now on: what loading modules makes stays, and was looked at time and again.

    A quarter of the time that a job takes to start. To be called before numpy is loaded. Ends with
    `keep_loaded`, in what goes on to run for long.
    """
    gc.set_threshold(*LOADING)
    for name, value in NUMPY_SETTINGS.items():
        os.environ.setdefault(name, value)


def keep_loaded(thresholds: tuple[int, int, int] = RUNNING) -> None:
    """Collect garbage by `thresholds` from now on, and never look again at what has been made so far."""
    gc.freeze()
    gc.set_threshold(*thresholds)


def keep_freed_blocks() -> None:
    """Keep freed blocks for the next use instead of giving them back to the system at once.

    By default each large block is mapped anew, and the kernel clears its pages once more: while a backlog is
    read, a fifth of the processor time. At most `KEPT_BYTES` stay unused. Does nothing where the
    C library is another one.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # what one worker frees, another one uses; Python's small objects do not come from there
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
