"""The thread that keeps reading one service, a few pages ahead of the dataflow."""

from __future__ import annotations

import logging
import math
import random
import time
from dataclasses import replace
from threading import Event, Thread
from typing import Any
from zlib import crc32

from fleetflow.contracts.payload import Notice, Payload
from fleetflow.contracts.source import Emission
from fleetflow_beta import page as pages
from fleetflow_beta.ahead import Ahead, Item
from fleetflow_beta.client import UNREADABLE, Client, FetchError
from fleetflow_beta.metrics import metrics
from fleetflow_beta.narrowing import Narrowing
from fleetflow_beta.page import UNIDENTIFIED, BodyError, Page, Placed
from fleetflow_beta.reached import Reached
from fleetflow_beta.restarts import Verdict, verdict
from fleetflow_beta.settings import BetaSettings

log = logging.getLogger("fleetflow_beta")

WARN_EVERY_S = 60.0
VERIFY_EVERY_S = 1.0
"""How often at most it is looked whether a service started again, unless there is a reason to doubt."""
CAPPED = 100
"""Pages of this size or more, one like the other, are taken for a service's own limit below ours."""
BEYOND = 10
"""How often to look, twice as far each time, for a ping that can be read after one that cannot."""
UNPLACED_ATTEMPTS = 3
"""Times that the same page without a usable sequence is asked for before it is handed on for good."""


class Fetcher:
    """Reads one service from where it was reached, in a thread of its own.

    `take` drains what is there; all other work, and all waiting, is the thread's. It is a daemon and ends
    within a second of `close` (a connection that is just being made: within `connect_timeout_s`).
    """

    def __init__(
        self,
        client: Client,
        url: str,
        partition: str,
        source: str,
        reached: Reached,
        settings: BetaSettings,
        once: bool,
    ) -> None:
        self.url = url
        self._client = client
        self._partition = partition
        self._source = source
        self._settings = settings
        self._once = once
        # the thread's own
        self._reached = reached
        self._narrowing = Narrowing(settings.limit)
        self._doubt = True
        self._unverified = 0
        self._verified_at = -math.inf
        self._failures = 0
        self._outage = False
        self._warned_at = 0.0
        self._previous_count: int | None = None
        self._unplaced: tuple[int, int] = (0, 0)
        self._stop = Event()
        self.ahead = Ahead(settings.pages_ahead, settings.gather_s)
        """What was fetched; its methods may be called from any thread."""
        self._thread = Thread(target=self._run, name=f"fleetflow-beta {url}", daemon=True)

    def start(self) -> None:
        """Begin to fetch."""
        self._thread.start()

    def take(self, max_bytes: int) -> list[Item]:
        """Return what was fetched, at least one item when there is one; raises what broke the thread."""
        self._client.abort_when_late()
        return self.ahead.take(max_bytes)

    def stop(self) -> None:
        """Tell the thread to end."""
        self._stop.set()
        self.ahead.stop()
        self._client.abort()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, at most so long."""
        self._thread.join(seconds)

    # everything below runs in the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    pause_s = self._turn()
                except FetchError as error:
                    if self._stop.is_set():
                        break
                    pause_s = self._failed(error)
                if pause_s > 0:
                    self.ahead.sleeps(pause_s)
                    self._stop.wait(pause_s)
        # handed to the dataflow, which must not go on without this service
        except BaseException as error:
            self.ahead.break_off(error)
        finally:
            self._client.close()

    def _turn(self) -> float:
        """Ask for one page; returns the seconds to wait before the next."""
        due = self._doubt or (
            self._unverified >= self._settings.verify_polls
            and time.monotonic() >= self._verified_at + VERIFY_EVERY_S
        )
        if due and not self._verified():
            return 0.0
        since, limit = self._reached.since, self._narrowing.limit
        try:
            page = self._page(since, limit)
        except FetchError as error:
            if error.kind not in UNREADABLE:
                raise
            if self._narrowing.found and self._blames_one_ping(since):
                return self._pass_over(since, error)
            if self._narrowing.failed(since, error.kind == "too_large"):
                # it is getting on, so it does not count as one more failure
                self._failures = 0
                log.debug("Asking %s for %d pings at once", self.url, self._narrowing.limit)
            raise
        received_at = time.time()
        self._unverified += 1
        # a connection that was kept and has ended may mean that the service has
        self._doubt = self._doubt or self._client.reconnected
        count = len(page.sequences)
        if count == 0:
            self._on_page((), None, more=False)
            return self._settings.poll_s
        placed = pages.place(page, since)
        if placed is None:
            if None in page.sequences:
                return self._on_unplaced(page, received_at)
            raise FetchError(
                "sequence",
                f"it answered with sequences up to {max(filter(None, page.sequences), default=0)}, "
                f"asked for those above {since}",
            )
        self._unplaced = (0, 0)
        more = self._is_full(count, limit)
        self._emit_page(placed, received_at, more)
        return 0.0 if more else self._settings.poll_s

    def _page(self, since: int, limit: int) -> Page:
        body = self._client.get(since, limit)
        try:
            return pages.read(body)
        except BodyError as error:
            raise FetchError("body", f"its answer cannot be read: {error}", body=body) from None

    def _is_full(self, count: int, limit: int) -> bool:
        previous, self._previous_count = self._previous_count, count
        return count >= limit or (count >= CAPPED and previous in {None, count})

    def _emit_page(self, placed: Placed, received_at: float, more: bool) -> None:
        url, reached = self.url, self._reached
        mark = placed.page.mark(placed.highest)
        emissions: list[Emission] = []
        if placed.lost:
            message = (
                f"{url} no longer has {placed.lost} of the pings between sequence {reached.since} and "
                f"{placed.end - 1}: they are lost upstream"
            )
            log.warning("%s", message)
            metrics().lost.labels(url).inc(placed.lost)
            emissions.append(
                self._notice(
                    "gap", message, lost=placed.lost, after=reached.since, first=placed.start, end=placed.end
                )
            )
        resource = reached.resource(url)
        emissions.append(
            Payload(
                source=self._source,
                partition=self._partition,
                resource=resource,
                start=placed.start,
                end=placed.end,
                data=placed.page.data,
                media_type="application/json",
                received_at=received_at,
                digest=mark[1],
            )
        )
        self._reached = replace(reached, since=placed.end - 1, mark=mark, anchor=reached.anchor or mark)
        self._count(placed.fresh)
        self._on_page(tuple(emissions), placed, more)

    def _on_page(self, emissions: tuple[Emission, ...], placed: Placed | None, more: bool) -> None:
        """Take note that the service answered as promised, and hand on what it said."""
        self._failures = 0
        self._narrowing.passed(self._reached.since, more)
        if self._outage and not self._narrowing.active:
            self._outage = False
            log.info("%s answers again", self.url)
            emissions = (self._notice("recovered", f"{self.url} answers again"), *emissions)
        pings, size = (placed.fresh, len(placed.page.data)) if placed else (0, 0)
        self._offer(emissions, pings, size, more)

    def _on_unplaced(self, page: Page, received_at: float) -> float:
        """Handle a page in which nothing tells how far it reaches.

        It may be some other answer that was sent by mistake, so it is asked for again. When it comes
        again and again, its elements are taken for the next pings, one after the other, and handed on, to
        be quarantined.
        """
        first = crc32(page.element(0))
        seen, times = self._unplaced
        times = times + 1 if seen == first else 1
        self._unplaced = (first, times)
        count = sum(sequence is None for sequence in page.sequences)
        if times < UNPLACED_ATTEMPTS:
            raise FetchError(
                "sequence", f"none of its {len(page.sequences)} records has a usable sequence of its own"
            )
        self._unplaced = (0, 0)
        reached = self._reached
        start, end = reached.since + 1, reached.since + 1 + count
        message = (
            f"{self.url} answers with {count} records without a usable sequence after {reached.since}: "
            f"they are handed on as they are, and reading goes on after {end - 1}"
        )
        metrics().errors.labels(self.url, "unplaced").inc()
        self._skip(end - 1, start, page.data, received_at, message, "unplaced", count)
        return 0.0

    def _blames_one_ping(self, since: int) -> bool:
        """Whether the service can be read beyond the next ping, and that one still cannot."""
        if not any(self._readable(since + (1 << step), above=True) for step in range(BEYOND)):
            return False
        if self._readable(since, above=False):
            self._narrowing.retract()
            return False
        return True

    def _readable(self, since: int, above: bool) -> bool:
        try:
            page = self._page(since, 1)
        except FetchError as error:
            if error.kind in UNREADABLE:
                return False
            raise
        return not above or any(sequence is not None and sequence > since for sequence in page.sequences)

    def _pass_over(self, since: int, error: FetchError) -> float:
        what = error.body if error.body is not None else error.message.encode()
        message = (
            f"the ping after sequence {since} of {self.url} cannot be read ({error.message}): "
            f"it is handed on as it is, and reading goes on after {since + 1}"
        )
        metrics().errors.labels(self.url, error.kind).inc()
        self._skip(since + 1, since + 1, pages.quoted(what), time.time(), message, error.kind, 1)
        return 0.0

    def _skip(
        self, since: int, start: int, data: bytes, received_at: float, message: str, kind: str, count: int
    ) -> None:
        """Hand on what cannot be placed as pings [start, since], and go on after it."""
        log.warning("%s", message)
        notice = self._notice("error", message, error=kind, records=count)
        payload = Payload(
            source=self._source,
            partition=self._partition,
            resource=self._reached.resource(self.url),
            start=start,
            end=since + 1,
            data=data,
            media_type="application/json",
            received_at=received_at,
        )
        mark = (since, UNIDENTIFIED)
        self._reached = replace(self._reached, since=since, mark=mark, anchor=self._reached.anchor or mark)
        self._count(count)
        self._failures = 0
        self._narrowing.passed(since, more=True)
        self._offer((notice, payload), count, len(data), more=True)

    def _count(self, pings: int) -> None:
        metrics().pages.labels(self.url).inc()
        metrics().pings.labels(self.url).inc(pings)
        log.debug("Added %d pings. Highest sequence number is: %d", pings, self._reached.since)

    def _verified(self) -> bool:
        """Whether the service may be read on; if not, it is now read from its beginning."""
        found = verdict(self._reached, self._page)
        if found is Verdict.OTHER:
            self._restarted()
            return False
        if found is not Verdict.UNKNOWN:
            self._reached = replace(self._reached, anchor=self._reached.mark)
            self._doubt = False
            self._unverified, self._verified_at = 0, time.monotonic()
        return True

    def _restarted(self) -> None:
        before = self._reached
        message = (
            f"{self.url} has started again since sequence {before.since}: it is read from its beginning; "
            "what it had after that sequence and before its restart is lost upstream"
        )
        log.warning("%s", message)
        metrics().restarts.labels(self.url).inc()
        self._reached = Reached(generation=before.generation + 1)
        self._doubt = False
        self._unverified = 0
        self._previous_count = None
        self._unplaced = (0, 0)
        self._narrowing = Narrowing(self._settings.limit)
        notice = self._notice(
            "restart", message, generation=self._reached.generation, previous_sequence=before.since
        )
        self._offer((notice,), 0, 0, more=True)

    def _failed(self, error: FetchError) -> float:
        """Take note of a failure; returns the seconds to wait before the next attempt."""
        settings = self._settings
        self._failures += 1
        self._doubt = True
        metrics().errors.labels(self.url, error.kind).inc()
        message = f"{self.url} cannot be read: {error.message}"
        now = time.monotonic()
        notices: tuple[Notice, ...] = ()
        if not self._outage or now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            log.warning("%s; trying again", message)
        if not self._outage:
            self._outage = True
            notices = (self._notice("error", message, error=error.kind),)
        give_up = self._once and self._failures == settings.once_attempts
        if give_up:
            log.warning(
                "%s could not be read in %d attempts: this run goes on without what it may still have",
                self.url,
                settings.once_attempts,
            )
        item = Item(notices, self._reached) if notices else None
        self.ahead.fail(item, give_up)
        exponent = min(self._failures, 30) - 1
        longest = min(settings.backoff_max_s, settings.backoff_min_s * 2.0 ** max(exponent, 0))
        # the jitter keeps many readers from coming back at one moment
        pause_s = longest * random.uniform(0.5, 1.0)
        return max(pause_s, min(error.retry_after_s, settings.backoff_max_s))

    def _offer(self, emissions: tuple[Emission, ...], pings: int, size: int, more: bool) -> None:
        self.ahead.put(Item(emissions, self._reached, pings, size) if emissions else None, more)

    def _notice(self, kind: str, message: str, **data: Any) -> Notice:
        return Notice(self._source, self._partition, kind, message, time.time(), {"url": self.url, **data})
