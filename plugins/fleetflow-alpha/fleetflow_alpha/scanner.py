"""The one look at the directory that all partitions of a process share.

A look lists names when the directory's own time changed (and at least every 10 s, because that time
cannot be trusted everywhere), and asks `stat` of every file of an open partition. Where the kernel was found
to tell of all changes (`watching`), only the files concerned are looked at, and all of them every few seconds
to make sure; where not, as on network file systems, always all of them. What is found is a hint: the
partition decides by the opened file. Looks are made by a thread, as far apart as `poll_s` or the share of a
core demands.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
import threading
import time

from fleetflow_alpha.crowd import Crowd
from fleetflow_alpha.names import shard_of
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.shard import Hints, Shard
from fleetflow_alpha.watching import Changes, Watcher

log = logging.getLogger(__name__)

LIST_AT_LEAST_EVERY_S = 10.0
LIST_AFTER_CHANGE_S = 2.5
"""How long after a change of the directory its time may be too coarse to show another one (FAT: 2 s)."""
BUSY = 5
"""How many times `scan_share` looking may cost while all files change all the time."""
LOOK_AT_LEAST_EVERY_S = 2.0
"""How far apart looks at all files are, at least, while the kernel is trusted to tell of changes."""
LISTENING = 5
"""How many times `scan_share` it may cost to look at what the kernel tells of."""
LISTEN_AFTER_S = 2.0
"""How long after its start a scanner begins to listen: beginning takes some ms, of no use to a short run."""
REST_S = 60.0
"""How long the kernel is not asked to tell, after listening to it took too much."""
LONG_AGO_S = 60.0
"""A directory changed so long ago, by this machine's clock, is not changing within its clock's last tick."""


class Scanner:
    """Looks at one directory for the partitions that are open in this process.

    Starts its thread with the first `open`, and ends it with the last `close`.
    """

    def __init__(self, directory: str, settings: AlphaSettings) -> None:
        self.directory = directory
        self._settings = settings
        self._matches = re.compile(fnmatch.translate(settings.pattern)).match
        self._hidden = settings.pattern.startswith(".")
        self.reading = threading.Lock()
        """Held while files are read: one partition at a time. A file takes some system calls, each of which
        lets go of Python's lock; threads that all do so, again and again, mostly wake each other up."""
        self.reads = Crowd("read")
        self._looks = Crowd("look")
        self._lock = threading.Lock()
        self._listing = threading.Lock()
        self._shards: dict[int, Shard] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._due = 0.0
        self._numbers: dict[str, int] = {}
        self._others: dict[int, str] = {}
        self._mark: tuple[int, ...] = ()
        self._mark_seen = self._listed = -1e9
        self._opened = self._listed_for = 0
        self._trouble = ""
        self._looks_begun = self._look_told = 0
        self._watcher: Watcher | None = None
        self._waiting = False

    def open(self, number: int, names: list[str]) -> None:
        """Begin to look for the files of partition `number`; `names` are those it already knows."""
        with self._lock:
            self._shards[number] = Shard(names, self._looks)
            self._opened += 1
            if self._trouble and number == min(self._shards):
                self._shards[number].news.append(self._trouble)
            if self._thread is None:
                self._wake, self._watcher = threading.Event(), Watcher()
                self._thread = threading.Thread(
                    target=self._run,
                    args=(self._wake, self._watcher),
                    name="fleetflow-alpha-scan",
                    daemon=True,
                )
                self._thread.start()

    def close(self, number: int) -> None:
        """Stop looking for partition `number`; waits for the thread when it was the last one."""
        with self._lock:
            self._shards.pop(number, None)
            thread, watcher = self._thread, self._watcher
            if self._shards or thread is None or watcher is None:
                return
            self._thread = None
            self._wake.set()
            watcher.wake()
        thread.join(10)
        if not thread.is_alive():
            watcher.close()
            self._looks.close()
        self.reads.close()

    def take(self, number: int) -> tuple[Hints, list[str]]:
        """Return and forget the hints of a partition, and what happened to the directory ("": it is back)."""
        shard = self._shards[number]
        with shard.lock:
            hints, shard.hints = shard.hints, {}
            news, shard.news = shard.news, []
        return hints, news

    def has_hints(self, number: int) -> bool:
        """Whether `take` would return something."""
        shard = self._shards[number]
        return bool(shard.hints or shard.news)

    def has_looked(self, number: int) -> bool:
        """Whether the files of a partition were looked at since it was opened."""
        return self._shards[number].looked

    def check(self, number: int) -> bool:
        """Look at once, for one partition; returns whether there is nothing to `take`."""
        self._look([number])
        return not self.has_hints(number)

    def due_in_s(self) -> float:
        """Return the seconds until the thread looks again, below 0 while it does.

        While it waits to be told of changes, `poll_s`: so often it is worth asking for what it found.
        """
        return self._settings.poll_s if self._waiting else self._due - time.monotonic()

    def find_other(self, inode: int, since: float) -> str:
        """Return the name, not matching the pattern, that a file was given; empty if there is none.

        Lists the directory again when it was last listed before `since` (monotonic).
        """
        if self._listed < since:
            try:
                fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                return ""
            try:
                self._list(fd, always=True)
            finally:
                os.close(fd)
        return self._others.get(inode, "")

    def _run(self, stop: threading.Event, watcher: Watcher) -> None:
        listen_at = time.monotonic() + LISTEN_AFTER_S
        while not stop.is_set():
            pause = self._settings.poll_s
            try:
                listening = time.monotonic() >= listen_at
                pause = self._look_at_all(watcher if listening else None)
                if watcher.trusted:
                    self._be_told(stop, watcher, max(LOOK_AT_LEAST_EVERY_S, pause))
                    continue
            # a thread that dies silently would look like a directory in which nothing happens
            except Exception:
                log.exception("looking at %s failed, trying again", self.directory)
            self._due = time.monotonic() + pause
            stop.wait(pause)

    def _look_at_all(self, watcher: Watcher | None) -> float:
        """Look at all files; returns the seconds until the next look, by what this one cost."""
        wall, cpu = time.monotonic(), time.thread_time()
        changed = self._look(list(self._shards), watcher)
        wall, cpu = time.monotonic() - wall, time.thread_time() - cpu
        # where much is found, looking is worth more; unless the kernel finds it
        busy = 0.0 if watcher is not None and watcher.trusted else (BUSY - 1) * changed
        return max(self._settings.poll_s, cpu / (self._settings.scan_share * (1 + busy)) - wall, wall)

    def _be_told(self, stop: threading.Event, watcher: Watcher, seconds: float) -> None:
        """Look for so long at nothing but what the kernel tells of, as long as that suffices.

        Every write is told: of very many of them it is cheaper to look at all files.
        """
        began, cpu = time.monotonic(), time.thread_time()
        end = began + seconds
        while True:
            # what is told meanwhile is looked at together
            self._due = time.monotonic() + self._settings.poll_s
            if stop.wait(self._settings.poll_s):
                return
            self._waiting = True
            try:
                watcher.wait(end - time.monotonic())
            finally:
                self._waiting = False
            changes = watcher.take()
            if changes is None or time.monotonic() >= end or not self._look_at(changes, watcher):
                break
        share = (time.thread_time() - cpu) / (time.monotonic() - began)
        if share > LISTENING * self._settings.scan_share:
            watcher.rest(REST_S)

    def _look_at(self, changes: Changes, watcher: Watcher) -> bool:
        """Look at some files; returns whether that suffices, which it does not in another directory."""
        numbers: dict[int, Changes] = {}
        for place, names in enumerate(changes):
            for name in names:
                number = self._numbers.get(name)
                number = self._number(name) if number is None else number
                numbers.setdefault(number, Changes(set(), set()))[place].add(name)
        try:
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            if not watcher.follows(fd):
                return False
            with self._lock:
                shards = [
                    (self._shards[number], some) for number, some in numbers.items() if number in self._shards
                ]
            for shard, some in shards:
                shard.look_at(fd, some)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def _look(self, numbers: list[int], watcher: Watcher | None = None) -> float:
        """Look for the partitions `numbers`; returns the share of their files that had changed."""
        files = found = 0
        changed: set[str] = set()
        with self._lock:
            self._looks_begun += 1
            look = self._looks_begun
        try:
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            self._tell(look, error.strerror or str(error))
            return 0.0
        try:
            if watcher is not None:
                watcher.follow(fd)
            self._list(fd)
            for number in numbers:
                shard = self._shards.get(number)
                if shard is not None:
                    hints, some = shard.look(fd)
                    found += hints
                    changed |= some
                    files += len(shard.looks)
            if watcher is not None:
                watcher.judge(changed)
        except OSError as error:
            self._tell(look, error.strerror or str(error))
        else:
            self._tell(look, "")
        finally:
            os.close(fd)
        return min(1.0, found / files) if files else 0.0

    def _tell(self, look: int, trouble: str) -> None:
        with self._lock:
            # of looks that overlap, the one that began last knows best whether the directory is there
            if look < self._look_told:
                return
            self._look_told = look
            if trouble == self._trouble or not self._shards:
                return
            self._trouble = trouble
            shard = self._shards[min(self._shards)]
        with shard.lock:
            shard.news.append(trouble)

    def _list(self, fd: int, always: bool = False) -> None:
        with self._listing:
            now = time.monotonic()
            with self._lock:
                opened, shards = self._opened, dict(self._shards)
            found = os.fstat(fd)
            mark = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            age_s = time.time() - found.st_mtime
            if mark != self._mark:
                self._mark, self._mark_seen = mark, now
            elif (
                not always
                and self._listed_for == opened
                and (self._listed > self._mark_seen + LIST_AFTER_CHANGE_S or age_s > LONG_AGO_S)
                and now - self._listed < LIST_AT_LEAST_EVERY_S
            ):
                return
            numbers: dict[str, int] = {}
            others: dict[int, str] = {}
            known = self._numbers
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = entry.name
                    number = known.get(name)
                    if number is None:
                        number = self._number(name)
                    numbers[name] = number
                    if number < 0:
                        others[entry.inode()] = name
                    elif number in shards and name not in shards[number].looks:
                        shard = shards[number]
                        with shard.lock:
                            shard.arrivals.append(name)
            self._numbers, self._others = numbers, others
            self._listed, self._listed_for = now, opened

    def _number(self, name: str) -> int:
        if not self._matches(name) or (name.startswith(".") and not self._hidden):
            return -1
        return shard_of(name, self._settings.shards)
