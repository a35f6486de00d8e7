"""One thing done with each of many files: several at once where each has to be waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from fleetflow.timers import wake_together

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

THREADS = 16
AT_ONCE = 4 * THREADS
"""How many files are in hand at once where they have to be waited for."""
BATCH = 256
"""How many files are in hand at once where they are done in one call."""
MOST_AT_ONCE = 8 * THREADS
"""How many are where each thread does its share in one call: each worker has all of them open, of the 1,024
that a process may have open by default."""
BATCH_AT_MOST_S = 0.02
"""After this long such a call begins no other file: the rest may have to be waited for by many threads. No
thread is given more files than take so long, or its share of `AT_ONCE`."""
SAMPLE = 16
"""So many files tell whether others have to be waited for."""
UNTIMED = 7 * SAMPLE
"""After a sample without waiting, so many files are not timed: that takes a tenth of what a visit does."""
LONG_S = 1e-4
"""A longer wait comes from the other end of a network, not from this machine's memory."""


class Crowd:
    """Does something with each of many files, and learns whether they have to be waited for.

    Where files are on this machine and known to its kernel, one thread is as quick as many, and cheaper. Over
    a network each call is a question to the other side: then up to `THREADS` threads ask at once. What counts
    is the wait that three quarters of the files exceed, without the processor's time: the threads of a busy
    job wait now and then, and a large file takes long to be read.
    """

    def __init__(self, what: str) -> None:
        self.slow = False
        """Whether files have to be waited for, as far as is known."""
        self._what = what
        self._lock = threading.Lock()
        self._waits: list[float] = []
        self._wait_s = 0.0
        self._untimed = 0
        self._pool: ThreadPoolExecutor | None = None

    def each(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        many: Callable[[Sequence[T]], Sequence[tuple[R, float]]] | None = None,
    ) -> Iterator[R]:
        """Yield `function(item)` of each item, in their order; raises what it raises.

        Where nothing has to be waited for, an item is taken when it is its turn; else up to `AT_ONCE` ahead.
        `many` does the same with some items in one call: with the first of them, at least one, and tells how
        many seconds each was waited for. It is given up to `BATCH` items, or, where they have to be waited
        for, up to `MOST_AT_ONCE`, each thread its share.
        """
        rest = iter(items)
        for item in rest:
            if self.slow:
                some = AT_ONCE if many is None else THREADS * self._share()
                yield from self._together(function, [item, *islice(rest, some - 1)], many)
            elif many is not None:
                yield from self._batch(function, [item, *islice(rest, BATCH - 1)], many)
            elif self._untimed:
                self._untimed -= 1
                yield function(item)
            else:
                yield self._timed(function, item)

    def close(self) -> None:
        """Let go of the threads; they are made anew when they are needed again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _batch(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        many: Callable[[Sequence[T]], Sequence[tuple[R, float]]],
    ) -> Iterator[R]:
        while items:
            if self.slow:
                some = THREADS * self._share()
                yield from self._together(function, items[:some], many)
                items = items[some:]
                continue
            done = many(items)
            self._note([wait_s for _, wait_s in done])
            items = items[len(done) :]
            for result, _ in done:
                yield result

    def _share(self) -> int:
        """Return how many files a thread is given at once."""
        return int(
            min(max(AT_ONCE // THREADS, BATCH_AT_MOST_S / (self._wait_s or LONG_S)), MOST_AT_ONCE // THREADS)
        )

    def _together(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        many: Callable[[Sequence[T]], Sequence[tuple[R, float]]] | None,
    ) -> Iterator[R]:
        with self._lock:
            if self._pool is None:
                # not as late as the thread that happens to begin them
                name = f"fleetflow-alpha-{self._what}"
                self._pool = ThreadPoolExecutor(THREADS, name, initializer=wake_together)
            pool = self._pool
        if many is None:
            return pool.map(lambda item: self._timed(function, item), items)
        share = -(-len(items) // THREADS)
        shares = [items[start : start + share] for start in range(0, len(items), share)]
        return chain.from_iterable(pool.map(lambda some: self._all_of(many, some), shares))

    def _all_of(
        self, many: Callable[[Sequence[T]], Sequence[tuple[R, float]]], items: Sequence[T]
    ) -> list[R]:
        found: list[R] = []
        while items:
            done = many(items)
            self._note([wait_s for _, wait_s in done])
            items = items[len(done) :]
            found += [result for result, _ in done]
        return found

    def _timed(self, function: Callable[[T], R], item: T) -> R:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        try:
            return function(item)
        finally:
            self._note([time.perf_counter() - wall_s - (time.thread_time() - cpu_s)])

    def _note(self, waits_s: Sequence[float]) -> None:
        with self._lock:
            self._waits += waits_s
            if len(self._waits) < SAMPLE:
                return
            waits, self._waits = sorted(self._waits), []
        self._wait_s = waits[len(waits) // 4]
        slow = self._wait_s > LONG_S
        if slow != self.slow:
            log.debug("files have to be waited for: %s (%s)", slow, self._what)
        self.slow, self._untimed = slow, 0 if slow else UNTIMED
