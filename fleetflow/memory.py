"""How the C library hands memory out, for processes that use large blocks again and again."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
"""From <malloc.h> of the GNU C library, see mallopt(3)."""
LARGEST_BLOCK = 32 << 20
"""The largest threshold that mallopt(3) admits on machines of 64 bits."""
KEPT_BYTES = 256 << 20


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
