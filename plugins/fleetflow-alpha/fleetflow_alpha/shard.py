"""What the scanner knows of one partition's files: how each looked last, and what is to be told of it."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping, Sequence

from fleetflow.native.files import file_reader
from fleetflow_alpha.crowd import BATCH_AT_MOST_S, Crowd
from fleetflow_alpha.state import NEVER, WRITTEN, Look
from fleetflow_alpha.watching import Changes

_NOT_A_FILE = Look(0, -1, 0, 0)
_EXPECTED = Look(0, -2, 0, 0)
"""In place of the look of a file that the partition knows, before the first one."""

_Answer = tuple[int, int, int, int] | os.stat_result | OSError

Hints = dict[str, Look | None]
"""Files that changed, with their look; None: the file is gone."""


class Shard:
    """The files of one partition. `lock` is held only to hand things over."""

    def __init__(self, names: list[str], crowd: Crowd) -> None:
        self._crowd = crowd
        self.lock = threading.Lock()
        self.scanning = threading.Lock()
        self.looks: dict[str, Look] = dict.fromkeys(names, _EXPECTED)
        self.arrivals: list[str] = []
        self.hints: Hints = {}
        self.news: list[str] = []
        self.looked = False
        self._reader = file_reader()

    def look(self, fd: int) -> tuple[int, set[str]]:
        """Ask `stat` of every file, and keep what changed as hints.

        Returns how many did, and the names of those that changed since a look before (and not only in their
        number of links or their rights, which is not always told).
        """
        with self.scanning:
            with self.lock:
                arrivals, self.arrivals = self.arrivals, []
            for name in arrivals:
                self.looks.setdefault(name, NEVER)
            before = self.looks.copy()
            hints = self._ask(fd, before)
            changed = set()
            if self.looked:
                changed = {name for name, hint in hints.items() if before[name][:3] != (hint or NEVER)[:3]}
            self._keep(hints)
            self.looked = True
            return len(hints), changed

    def look_at(self, fd: int, changes: Changes) -> None:
        """Keep as hints what files of this partition were written to, and ask `stat` of the others."""
        with self.scanning:
            written = {name for name in changes.written - changes.others if self.looks.get(name, NEVER).inode}
            others = (changes.written | changes.others) - written
            hints = self._ask(fd, {name: self.looks.setdefault(name, NEVER) for name in others})
            self._keep(hints)
            with self.lock:
                for name in written:
                    # one that was looked at says more
                    self.hints.setdefault(name, WRITTEN)

    def _ask(self, fd: int, looks: Mapping[str, Look]) -> Hints:
        """Ask `stat` of the files in `looks`; returns those that look otherwise."""
        hints = Hints()

        def ask(name: str) -> _Answer:
            try:
                return os.stat(name, dir_fd=fd)
            except OSError as error:
                return error

        def ask_many(names: Sequence[str]) -> list[tuple[_Answer, float]]:
            assert reader is not None
            answers = reader.look(fd, names, [looks[name] for name in names], BATCH_AT_MOST_S)
            # of what is no usual file more has to be known
            return [
                (ask(name) if look is None else look, wait_s)
                for name, (look, wait_s) in zip(names, answers, strict=False)
            ]

        reader = self._reader
        every = self._crowd.each(ask, looks, None if reader is None else ask_many)
        for (name, old), found in zip(looks.items(), every, strict=True):
            if found is old:
                continue
            if isinstance(found, FileNotFoundError | NotADirectoryError):
                if old is NEVER:
                    # nobody heard of it: a link to nowhere, which must not be news at every look
                    del self.looks[name]
                else:
                    hints[name] = None
                continue
            if isinstance(found, OSError):
                # no file looks like this: the partition will meet the same error and report it
                look = Look(0, 0, 0, -(found.errno or 1))
            elif isinstance(found, os.stat_result):
                look = Look(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            else:
                look = Look(*found)
            if look != old:
                if isinstance(found, os.stat_result) and not stat.S_ISREG(found.st_mode):
                    if old is _NOT_A_FILE:
                        continue
                    look = _NOT_A_FILE
                hints[name] = look
        return hints

    def _keep(self, hints: Hints) -> None:
        for name, hint in hints.items():
            if hint is None:
                del self.looks[name]
                continue
            self.looks[name] = hint
            if hint is _NOT_A_FILE:
                hints[name] = None
        if hints:
            with self.lock:
                self.hints.update(hints)
