"""Handing stored events to notifiers, from threads that the flow never waits for."""

from __future__ import annotations

import fcntl
import logging
import math
import random
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from fleetflow.contracts.detector import Event
from fleetflow.contracts.notifier import Notifier
from fleetflow.errors import PluginError
from fleetflow.events.reader import Events
from fleetflow.events.recent import Recent
from fleetflow.events.store import EventsStore

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""What a notifier may be called: its name becomes part of a file's name."""
AT_ONCE = 100
POLL_S = 1.0
"""How often the store is looked at for events of other processes."""
BACKOFF_S = 0.5
BACKOFF_MOST_S = 60.0
CLOSE_S = 5.0
"""How long the end of a job may wait for events that are still to be delivered."""
NOTED_S = 0.2
"""How often at most it is stored how far a notifier has come."""
HANDOVER_S = 1.0
"""How long of it another process is given to deliver them or to end."""


class Outbox:
    """Delivers the events of a store to each notifier: at least once, in order, from where it stopped.

    One thread per notifier; one process at a time delivers to a notifier (a file lock that dies with its
    process). How far it has come is stored after a delivery, in a flood of them every 0.2 s: what was handed
    over and not yet noted when a process was killed is handed over again.
    """

    def __init__(self, folder: Path, store: EventsStore, notifiers: Sequence[Notifier]) -> None:
        """Take charge of `notifiers`; new ones begin with the events stored from now on.

        Raises PluginError for a notifier whose name cannot be used.
        """
        for notifier in notifiers:
            if not NAME.fullmatch(notifier.name):
                raise PluginError(
                    f'notifier "{notifier.name}" cannot be used: expected a name of small letters, digits, '
                    "_ and -",
                    "rename the notifier in its plugin",
                )
        store.begin([notifier.name for notifier in notifiers])
        recent = Recent()
        self._deliveries = [_Delivery(folder, store, recent, notifier) for notifier in notifiers]
        if notifiers:
            store.tell(recent.put)
            store.tell(lambda row, events: self.wake())
        for delivery in self._deliveries:
            delivery.start()

    def wake(self) -> None:
        """Tell that there are new events."""
        for delivery in self._deliveries:
            delivery.wake.set()

    def close(self) -> None:
        """Deliver what is there, for some seconds at most, and end. A notifier that hangs is left behind."""
        deadline = time.monotonic() + CLOSE_S
        for delivery in self._deliveries:
            delivery.stop(deadline)
        for delivery in self._deliveries:
            delivery.join(max(0.0, deadline - time.monotonic()) + 0.5)


class _Delivery(threading.Thread):
    def __init__(self, folder: Path, store: EventsStore, recent: Recent, notifier: Notifier) -> None:
        super().__init__(name=f"notify-{notifier.name}", daemon=True)
        self._store = store
        self._recent = recent
        self._notifier = notifier
        self._events = Events(folder)
        self._lock_path = folder / f"notify-{notifier.name}.lock"
        self._lock: IO[str] | None = None
        self._row = self._noted = 0
        self._noted_at = -math.inf
        self._failures = 0
        self._stopping = threading.Event()
        self._deadline = self._handover = 0.0
        self.wake = threading.Event()

    def stop(self, deadline: float) -> None:
        """Ask for the end, at `deadline` (monotonic) at the latest."""
        self._deadline, self._handover = deadline, time.monotonic() + HANDOVER_S
        self._stopping.set()
        self.wake.set()

    def run(self) -> None:
        try:
            while self._step():
                pass
        finally:
            self._events.close()
            if self._lock is not None:
                self._lock.close()
            self._notifier.close()

    def _step(self) -> bool:
        """Deliver once, or wait; returns whether to go on."""
        # looked at before the store: what was stored before the end was asked for is seen
        stopping = self._stopping.is_set()
        self.wake.clear()
        try:
            ours = self._acquired()
            delivered = ours and self._deliver(note_at_once=stopping)
        # whatever a notifier raises delays its own events only
        except Exception as error:
            return self._failed(error)
        if delivered and not (stopping and time.monotonic() > self._deadline):
            return True
        if stopping:
            if ours or time.monotonic() > self._handover or not self._due():
                return False
            # the process that holds the lock is at it; when it ends first, the rest is ours
            time.sleep(0.05)
        elif not self._stopping.is_set():
            self.wake.wait(POLL_S)
        return True

    def _acquired(self) -> bool:
        if self._lock is None:
            file = self._lock_path.open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
            self._lock = file
            self._row = self._noted = self._store.position(self._notifier.name)
        return True

    def _deliver(self, note_at_once: bool) -> bool:
        last, events = self._next()
        if not events:
            self._note()
            return False
        try:
            self._notifier.notify(events)
        except Exception:
            # what was delivered before is not to be told again, however long the pause is
            self._note()
            raise
        self._row = last
        if note_at_once or time.monotonic() > self._noted_at + NOTED_S:
            self._note()
        if self._failures:
            log.info("notifier %s: delivers again", self._notifier.name)
            self._failures = 0
        return True

    def _next(self) -> tuple[int, Sequence[Event]]:
        """Return the events that are next, and the row of the last of them."""
        recent = self._recent.after(self._row, AT_ONCE)
        if recent:
            return self._row + len(recent), recent
        found = self._events.since(self._row, AT_ONCE)
        if found and found[0].row > self._row + 1:
            log.warning(
                "notifier %s: %d events were deleted before they could be delivered; [events] keep is how "
                "many stay",
                self._notifier.name,
                found[0].row - self._row - 1,
            )
        return found[-1].row if found else self._row, [stored.event for stored in found]

    def _note(self) -> None:
        if self._row != self._noted:
            self._store.advance(self._notifier.name, self._row)
            self._noted, self._noted_at = self._row, time.monotonic()

    def _due(self) -> bool:
        return self._events.last_row() > self._store.position(self._notifier.name)

    def _failed(self, error: Exception) -> bool:
        self._failures += 1
        most = min(BACKOFF_MOST_S, BACKOFF_S * 2 ** min(self._failures - 1, 16))
        # half of it at random: many processes that failed together do not come back together
        pause = most * (0.5 + random.random() / 2)
        log.warning(
            "notifier %s failed, attempt %d, again in %.1f s: %s",
            self._notifier.name,
            self._failures,
            pause,
            f"{type(error).__name__}: {error}".splitlines()[0],
        )
        return not self._stopping.wait(pause)
