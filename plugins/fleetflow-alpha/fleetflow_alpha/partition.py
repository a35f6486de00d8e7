"""One partition of the source alpha: decides what is read, and notices what happened to its files."""

from __future__ import annotations

import heapq
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from fleetflow.contracts.payload import Payload
from fleetflow.contracts.source import Emission
from fleetflow.native.files import FileReader
from fleetflow_alpha import reading
from fleetflow_alpha.crowd import BATCH_AT_MOST_S
from fleetflow_alpha.names import resource, to_key
from fleetflow_alpha.notices import Notices
from fleetflow_alpha.reading import Fetched
from fleetflow_alpha.scanner import Scanner
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.state import VERSION, WRITTEN, FileState, Look
from fleetflow_alpha.visits import SMALL_READ, Budget, Visit

log = logging.getLogger(__name__)

POLL_AT_MOST_S = 0.25
"""After this long `poll` hands on what it has; the rest follows at the next one."""

RETRY_AT_MOST_S = 60.0
ALIAS_FAILURES = 6
"""How often reading a rotated file may fail, with growing pauses, before it is given up."""


class AlphaPartition:
    """Reads the files of one shard: one block per file and turn, so that a long file starves no other.

    `poll` costs what changed, not how many files there are.
    """

    def __init__(
        self,
        source: str,
        partition: str,
        number: int,
        states: dict[str, FileState],
        scanner: Scanner,
        settings: AlphaSettings,
    ) -> None:
        self._source, self._partition, self._number = source, partition, number
        self._files, self._scanner, self._settings = states, scanner, settings
        self._stored = {state.key: state.pack() for state in states.values()}
        self._moved: dict[str, FileState] = {}
        deleted = sorted((state for state in states.values() if state.deleted_at), key=_deleted_at)
        self._deleted = dict.fromkeys(state.name for state in deleted)
        self._remember = -(-settings.remember_deleted // settings.shards)
        self._pending: OrderedDict[str, FileState] = OrderedDict()
        self._rotating: set[str] = set()
        self._timers: list[tuple[float, str]] = []
        self._notices = Notices(source, partition)
        self._behind = self._behind_files = 0
        self._began = self._received_at = 0.0
        self._closed = False
        self._reader = reading.many_reader()
        scanner.open(number, [name for name, state in states.items() if not state.deleted_at])

    def poll(self, max_bytes: int) -> Sequence[Emission]:
        """Return whole lines, about `max_bytes` in total (more only for one line that is longer)."""
        if not (self._pending or self._timers or self._scanner.has_hints(self._number)) and (
            self._notices.are_told(self._behind, self._behind_files)
        ):
            # mostly there is nothing: asking takes most of what a job takes that has next to nothing to do
            return ()
        self._began, self._received_at = time.monotonic(), time.time()
        self._absorb()
        while self._timers and self._timers[0][0] <= self._began:
            state = self._files.get(heapq.heappop(self._timers)[1])
            if state is not None and (state.failures or state.alias):
                self._pending[state.name] = state
        payloads: list[Emission] = []
        if self._pending:
            # where files have to be waited for, others may wait meanwhile
            with nullcontext() if self._scanner.reads.slow else self._scanner.reading:
                self._visit_pending(Budget(max_bytes, self._settings.block_bytes), payloads)
        if self._scanner.has_looked(self._number):
            self._notices.progress(self._behind, self._behind_files, self._began)
        # notices first: that a file was replaced is known before its new bytes come
        return [*self._notices.take(), *payloads]

    def next_poll_s(self) -> float:
        """Return 0 when there is more, else the time until the directory was looked at again."""
        if self._pending or self._scanner.has_hints(self._number):
            return 0.0
        wait = max(self._scanner.due_in_s(), 0.0) + 0.02
        if self._timers:
            wait = min(wait, self._timers[0][0] - time.monotonic())
        return max(wait, 0.0)

    def caught_up(self) -> bool:
        """Whether a look at the directory, made now, finds nothing but lines without an end.

        Unreadable files, which were reported, do not count. Costs a `stat` per file of the partition
        when everything known was read.
        """
        if self._pending or self._rotating:
            return False
        return self._scanner.check(self._number)

    def position(self) -> Any:
        """Return `{"v": 2, "files": {key: numbers}}` as `FileState.pack` describes them."""
        # only what moved since it was last asked for, once per snapshot instead of once per visit
        self._stored.update((key, state.pack()) for key, state in self._moved.items())
        self._moved.clear()
        return {"v": VERSION, "files": self._stored.copy()}

    def close(self) -> None:
        """Stop looking at the files."""
        if not self._closed:
            self._closed = True
            self._scanner.close(self._number)

    def _absorb(self) -> None:
        hints, news = self._scanner.take(self._number)
        for trouble in news:
            self._notices.directory(self._scanner.directory, trouble)
        for name, look in hints.items():
            state = self._files.get(name)
            if look is None:
                if state is not None:
                    self._gone(state)
            else:
                self._changed(name, state, look)

    def _changed(self, name: str, state: FileState | None, look: Look) -> None:
        if state is None:
            state = self._files[name] = FileState.new(name)
            if look.inode:
                # stored even if it is empty: what is written to it and then rotated is found by its look
                state.look = look
                self._moved[state.key] = state
        state.present = True
        if look is WRITTEN and not state.alias:
            self._again(state)
            return
        if state.alias or (look == state.look and state.searched >= look.size and not state.deleted_at):
            return
        if look.inode == state.look.inode:
            # only growth: what a shorter file lost is judged when it is visited
            state.size = max(state.size, look.size)
        self._count(state, look.size - state.searched)
        self._again(state)

    def _again(self, state: FileState) -> None:
        """Visit a file that is there and has changed."""
        state.deleted_at = 0
        self._deleted.pop(state.name, None)
        self._pending[state.name] = state

    def _gone(self, state: FileState) -> None:
        state.present = False
        if state.deleted_at or state.alias:
            return
        self._pending.pop(state.name, None)
        if self._was_rotated(state):
            self._pending[state.name] = state
        else:
            self._delete(state)

    def _delete(self, state: FileState) -> None:
        unread = max(0, state.size - state.offset)
        self._notices.deleted(resource(state.key, state.generation), unread, to_key(state.rotated_to))
        self._count(state, 0)
        state.failures, state.rotated_to = 0, ""
        if not state.offset and state.generation == 1:
            self._forget(state)
            return
        state.deleted_at = int(self._received_at)
        self._moved[state.key] = state
        self._deleted[state.name] = None
        if len(self._deleted) > self._remember:
            self._forget(self._files[next(iter(self._deleted))])

    def _forget(self, state: FileState) -> None:
        self._files.pop(state.name, None)
        self._deleted.pop(state.name, None)
        self._stored.pop(state.key, None)
        self._moved.pop(state.key, None)

    def _visit_pending(self, budget: Budget, payloads: list[Emission]) -> None:
        many = None if self._reader is None else partial(self._fetch_many, self._reader)
        for visit in self._scanner.reads.each(self._fetch, self._next(budget, payloads), many):
            budget.done(visit, self._visited(visit, payloads))

    def _next(self, budget: Budget, payloads: list[Emission]) -> Iterator[Visit]:
        """Yield the files to visit, as long as there is time and something left of the budget."""
        while self._pending:
            if not budget.suffices(bool(payloads)):
                return
            yield budget.plan(self._pending.popitem(last=False)[1])
            if time.monotonic() - self._began > POLL_AT_MOST_S:
                return

    def _fetch(self, visit: Visit) -> Visit:
        """Open and read one file; changes nothing of its state, as other threads may do this."""
        path = f"{self._scanner.directory}/{visit.state.alias or visit.state.name}"
        try:
            visit.found = reading.fetch(path, visit.state, visit.want, self._settings.block_bytes)
        except OSError as error:
            visit.found = error
        return visit

    def _fetch_many(self, reader: FileReader, visits: Sequence[Visit]) -> list[tuple[Visit, float]]:
        """Open and read several files at once; tells how long each was waited for."""
        directory, block = self._scanner.directory, self._settings.block_bytes
        paths = [f"{directory}/{visit.state.name}" for visit in visits]
        wanted = [(visit.state, visit.want) for visit in visits]
        fetched = reading.fetch_many(reader, paths, wanted, block, BATCH_AT_MOST_S)
        for visit, (found, _) in zip(visits, fetched, strict=False):
            if found is None:
                # whatever is the matter with it
                self._fetch(visit)
            else:
                visit.found = found
        return [(visit, wait_s) for visit, (_, wait_s) in zip(visits, fetched, strict=False)]

    def _visited(self, visit: Visit, payloads: list[Emission]) -> int:
        """Judge what was fetched: one block, or one long line; returns the bytes that were looked through."""
        state, found = visit.state, visit.found
        if not isinstance(found, Fetched):
            if isinstance(found, FileNotFoundError | NotADirectoryError):
                self._vanished(state)
            else:
                self._failed(state, found)
            return 0
        try:
            if found.look is None:
                self._vanished(state)
                return 0
            return self._read(found, state, found.look, visit.left, payloads)
        except OSError as error:
            self._failed(state, error)
            return 0
        finally:
            if found.fd >= 0:
                os.close(found.fd)

    def _read(
        self, fetched: Fetched, state: FileState, look: Look, left: int, payloads: list[Emission]
    ) -> int:
        # what was looked through after the last newline is no data yet: only bytes beyond it can be lost
        lost = state.size - look.size if state.searched < state.size else 0
        looked = self._go_on(fetched.fd, state, look, left)
        if looked is not None:
            return looked
        if fetched.lines is not None:
            lines, tail = fetched.lines, fetched.tail
        else:
            block = self._settings.block_bytes
            lines = reading.read_lines(fetched.fd, state, look.size, min(left, block), block)
            tail = reading.matching_tail(fetched.fd, state)
        if tail is None:
            if state.alias:
                self._end_alias(state)
            else:
                self._replace(state, look)
            return lines.looked
        if lost > 0:
            self._notices.shortened(resource(state.key, state.generation), lost)
        if state.failures:
            self._notices.recovered(resource(state.key, state.generation))
            state.failures = 0
        if look != state.look:
            state.quiet_since = self._began
        if look.inode != state.look.inode:
            state.rotated_to = ""
        state.look = look
        state.size = lines.searched if lines.ended else look.size
        if lines.data:
            start = state.offset
            reading.advance(state, tail, lines, fetched.sums)
            payloads.append(self._payload(state, start, lines.data))
        state.searched = max(lines.searched, state.offset)
        self._settle(state)
        return lines.looked

    def _go_on(self, fd: int, state: FileState, look: Look, left: int) -> int | None:
        """Judge by its look and its inode whether the opened file is the one that was read before.

        Returns None if so; else, or while that is being found out, the bytes looked through for it.
        """
        moved = self._settings.trust_inode and state.look.inode not in (0, look.inode)
        if state.alias:
            if moved or look.size < state.offset:
                self._lost_alias(state)
                return 0
        elif moved and not state.rotated_to and self._was_rotated(state):
            # even if the new file goes on where the old one was left: it may lack what was written since
            self._pending[state.name] = state
            return 0
        elif look.size < state.offset or (moved and not state.offset and state.searched < state.size):
            self._replace(state, look)
            return 0
        elif moved and state.offset > state.head_bytes:
            want = max(left, SMALL_READ)
            same = reading.compare(fd, state, look.inode, want, self._settings.block_bytes)
            if same is None:
                self._pending[state.name] = state
                return want
            if not same:
                self._replace(state, look)
                return 0
        if moved or look.size < state.searched:
            state.searched = state.offset
        return None

    def _payload(self, state: FileState, start: int, data: bytes) -> Payload:
        return Payload(
            self._source,
            self._partition,
            resource(state.key, state.generation),
            start,
            state.offset,
            data,
            "text/csv",
            self._received_at,
            state.crc,
        )

    def _settle(self, state: FileState) -> None:
        """After reading: store the state, and queue the file again when there is more of it."""
        self._moved[state.key] = state
        self._count(state, state.size - state.searched)
        rest = state.searched - state.offset
        if rest > self._settings.max_line_bytes and not state.told_long:
            state.told_long = True
            self._notices.endless(resource(state.key, state.generation), state.offset, rest)
        if state.searched < state.size:
            self._pending[state.name] = state
        elif state.alias:
            if self._began - state.quiet_since >= self._settings.rotation_wait_s:
                self._end_alias(state)
            else:
                pause = min(0.5, self._settings.rotation_wait_s)
                heapq.heappush(self._timers, (self._began + pause, state.name))

    def _was_rotated(self, state: FileState) -> bool:
        """Look for the file under a name that does not match; if found, its rest is read before anything."""
        if not self._settings.trust_inode or not state.look.inode:
            return False
        other = self._scanner.find_other(state.look.inode, self._began)
        if not other:
            return False
        try:
            found = (Path(self._scanner.directory) / other).stat()
        except OSError:
            return False
        if found.st_ino != state.look.inode or found.st_size < state.offset:
            return False
        if not state.offset and not _is_rotation(state, other, found.st_size, found.st_mtime_ns):
            return False
        state.alias, state.quiet_since = other, self._began
        self._rotating.add(state.name)
        return True

    def _lost_alias(self, state: FileState) -> None:
        """The rotated file is not where it was: it may have been renamed once more."""
        if self._was_rotated(state):
            self._pending[state.name] = state
        else:
            self._end_alias(state)

    def _end_alias(self, state: FileState) -> None:
        """The rotated file is finished, or lost: go on with what bears its name now, if anything does."""
        state.rotated_to, state.alias = state.alias, ""
        self._rotating.discard(state.name)
        self._pending.pop(state.name, None)
        if state.present:
            self._pending[state.name] = state
        else:
            self._delete(state)

    def _replace(self, state: FileState, look: Look) -> None:
        """The file does not begin with what was read: begin the next generation.

        One of which nothing was emitted keeps its number.
        """
        before = resource(state.key, state.generation)
        unread = max(0, state.size - state.offset)
        truncated = look.inode == state.look.inode and look.size < state.size
        rotated_to = state.rotated_to
        state.begin(look)
        after = resource(state.key, state.generation)
        self._notices.other_content(before, after, unread, truncated, to_key(rotated_to))
        self._moved[state.key] = state
        self._count(state, state.size)
        self._pending[state.name] = state

    def _vanished(self, state: FileState) -> None:
        """The file was gone when it was opened: the next look at the directory tells for certain."""
        if state.alias:
            self._lost_alias(state)
        else:
            self._count(state, 0)

    def _failed(self, state: FileState, error: OSError) -> None:
        state.failures += 1
        if state.failures == 1:
            why = error.strerror or str(error)
            self._notices.unreadable(resource(state.key, state.generation), why)
        if state.alias and state.failures >= ALIAS_FAILURES:
            self._end_alias(state)
            return
        delay = min(RETRY_AT_MOST_S, 2.0 ** min(state.failures - 1, 10))
        heapq.heappush(self._timers, (self._began + delay, state.name))
        log.debug("%s: %s, again in %g s", state.key, error, delay)

    def _count(self, state: FileState, behind: int) -> None:
        behind = max(0, behind)
        self._behind += behind - state.behind
        self._behind_files += (behind > 0) - (state.behind > 0)
        state.behind = behind


def _is_rotation(state: FileState, other: str, size: int, mtime_ns: int) -> bool:
    """Judge a file of which nothing was emitted, so that no content can be compared.

    Its inode number alone may have been given to another file since. It is the same one if it was not
    written to, or if its new name tells of the old one, as `A.csv.1` and `A.old` do.
    """
    if (size, mtime_ns) == (state.look.size, state.look.mtime_ns):
        return True
    # a hidden one is rather the next version on its way to replace the file
    return Path(state.name).stem in other and (not other.startswith(".") or state.name.startswith("."))


def _deleted_at(state: FileState) -> int:
    return state.deleted_at
