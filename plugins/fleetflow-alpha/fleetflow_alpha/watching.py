"""What the kernel tells of changes in a directory (Linux: inotify), and whether that can be relied on.

It cannot everywhere: of what another machine writes into a network share nothing is told, nor of files that
are mapped into memory, or written to under another name. So trust is earned: as long as looks at all files
find what was told too. A change that was not told ends it for good.
"""

from __future__ import annotations

import logging
import math
import os
import select
import sys
import time
from collections.abc import Collection
from typing import NamedTuple

try:
    from inotify_simple import INotify, flags
except ImportError:
    # another system, or a packaged job where it is not installed: nothing is told
    INotify = None

log = logging.getLogger(__name__)


class Changes(NamedTuple):
    """Names of files that were written to, and of those that came, went or were changed otherwise."""

    written: set[str]
    others: set[str]


class Watcher:
    """Watches one directory at a time, for one thread; only `wake` may come from another one."""

    def __init__(self) -> None:
        self._trusted = False
        self._inotify: INotify | None = None
        self._directory: tuple[int, int] | None = None
        self._again_at = math.inf
        self._fresh = False
        self._changes = Changes(set(), set())
        self._told: set[str] = set()
        self._untold: set[str] = set()
        self._lost = False
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) if sys.platform == "linux" else -1

    @property
    def trusted(self) -> bool:
        """Whether all changes are told, as far as is known."""
        return self._trusted and not self._lost

    def follows(self, fd: int) -> bool:
        """Whether `fd` is open on the directory that is watched."""
        found = os.fstat(fd)
        return self._directory == (found.st_dev, found.st_ino)

    def follow(self, fd: int) -> None:
        """Begin a look at all files of the directory that `fd` is open on, which is watched from now on."""
        if not self.follows(fd) or time.monotonic() >= self._again_at:
            self._begin(fd)
        self._read()
        # the look will find what was told until now
        self._changes = Changes(set(), set())
        self._lost = False

    def judge(self, changed: Collection[str]) -> None:
        """End a look that `follow` began, which found that the files `changed` had changed."""
        if self._inotify is None:
            return
        # what is told now may have changed after it was looked at: then the next look finds it
        told, self._told = self._told, set()
        self._read()
        told |= self._told
        if self._fresh or self._lost:
            # what changed before, or was told and lost, says nothing
            self._fresh, self._untold = False, set()
            return
        # a change may be seen a moment before it is told
        if self._untold - told:
            log.info("files change without notice: looking at all of them all the time")
            self._end()
            return
        self._untold = {*changed} - told
        self._trusted = self._trusted or (bool(changed) and not self._untold)

    def wait(self, seconds: float) -> None:
        """Wait until something is told, `wake` is called, or the time is over."""
        if self._inotify is None:
            return
        poll = select.poll()
        for fd in (self._inotify.fileno(), self._woken):
            poll.register(fd, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)

    def take(self) -> Changes | None:
        """Return what was told since it was last asked for; None when all files must be looked at."""
        self._read()
        changes, self._changes = self._changes, Changes(set(), set())
        return changes if self.trusted else None

    def rest(self, seconds: float) -> None:
        """Be told nothing for so long."""
        self._end()
        self._again_at = time.monotonic() + seconds

    def wake(self) -> None:
        """End all waiting, also what is yet to come."""
        if self._woken >= 0:
            os.eventfd_write(self._woken, 1)

    def close(self) -> None:
        """Let go of the directory; nothing may be asked afterwards."""
        self._end()
        if self._woken >= 0:
            os.close(self._woken)
            self._woken = -1

    def _begin(self, fd: int) -> None:
        self._end()
        found, self._again_at = os.fstat(fd), math.inf
        # also when it cannot be watched: it is not tried again
        self._directory, self._fresh = (found.st_dev, found.st_ino), True
        if INotify is None:
            return
        try:
            self._inotify = INotify(nonblocking=True)
            # this very directory, whatever its path leads to by now
            self._inotify.add_watch(f"/proc/self/fd/{fd}", WATCHED)
        except OSError as error:
            log.debug("changes will not be told: %s", error)
            self._end()

    def _end(self) -> None:
        self._trusted = False
        self._told, self._untold = set(), set()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _read(self) -> None:
        if self._inotify is None:
            return
        written, others = self._changes
        for event in self._inotify.read(timeout=0):
            if event.mask & OVER:
                # the directory is gone, or events were: a look at all files finds what there is
                self._lost = True
                if event.mask & flags.IGNORED:
                    self._directory = None
            elif event.mask == flags.MODIFY:
                written.add(event.name)
            else:
                others.add(event.name)
            self._told.add(event.name)


if INotify is not None:
    WATCHED = (
        flags.MODIFY
        | flags.ATTRIB
        | flags.CREATE
        | flags.DELETE
        | flags.MOVED_FROM
        | flags.MOVED_TO
        | flags.DELETE_SELF
        | flags.MOVE_SELF
        | flags.ONLYDIR
    )
    OVER = flags.Q_OVERFLOW | flags.IGNORED | flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT
