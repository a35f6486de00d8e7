"""When a session looks for news: at once when the fleet has changed, and every so often as time passes."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh.document import Document
from tornado.ioloop import IOLoop

if TYPE_CHECKING:
    from fleetflow_ui.context import Context

Look = Callable[[], None]
SOON = 0.9
"""A look that happened less than this share of a period ago, as the fleet had changed, counts for it."""


class Alarm:
    """Wakes all sessions of an event loop when the fleet has changed: one call across threads for all."""

    def __init__(self, loop: IOLoop) -> None:
        self._loop = loop
        self._beats: weakref.WeakSet[Beat] = weakref.WeakSet()

    def add(self, beat: Beat) -> None:
        """Wake `beat` too, as long as anybody holds it."""
        self._beats.add(beat)

    def wake(self) -> None:
        """Take note of a change, in another thread."""
        self._loop.add_callback(self._ring)

    def _ring(self) -> None:
        for beat in list(self._beats):
            beat.wake(self._loop)


class Beat:
    """The looks of one session; none is made while `visible` says that nobody would see what it finds."""

    def __init__(self, document: Document, visible: Callable[[], bool]) -> None:
        self._document, self._visible = document, visible
        self._periods: dict[int, list[Look]] = {}
        self._at_once: list[Look] = []
        self._looked: dict[Look, float] = {}
        self._woken = False

    def every(self, seconds: float, look: Look) -> None:
        """Look now, and every so many seconds; those of one period share a timer."""
        period_ms = max(50, int(seconds * 1000))
        if period_ms not in self._periods:
            self._periods[period_ms] = []

            def tick() -> None:
                self._tick(period_ms)

            self._document.add_periodic_callback(tick, period_ms)
        self._periods[period_ms].append(look)
        if self._visible():
            look()

    def on_fleet(self, context: Context, look: Look) -> None:
        """Look as soon as the fleet has changed, and then not by `every` until its time has passed again."""
        self._at_once.append(look)
        if self._document.session_context is not None:
            alarm = context.shared.get("alarm", lambda: Alarm(IOLoop.current()))
            context.reader.tell(alarm)
            alarm.add(self)

    def all(self) -> None:
        """Make all looks that are made every so often, whenever the last ones were."""
        for looks in self._periods.values():
            for look in looks:
                look()

    def wake(self, loop: IOLoop) -> None:
        """Look at once, as soon as the session is free; called on the loop."""
        session: Any = self._document.session_context
        if self._woken or session is None or session.destroyed or not self._visible():
            return
        self._woken = True

        def look(document: Document) -> None:
            self.look()

        # a callback of the next tick would cost as much again as what is looked for
        loop.spawn_callback(session.with_locked_document, look)

    def look(self) -> None:
        """Make the looks that the fleet's change asks for."""
        self._woken = False
        for look in self._at_once:
            self._looked[look] = time.monotonic()
            look()

    def _tick(self, period_ms: int) -> None:
        if not self._visible():
            return
        latest = time.monotonic() - SOON * period_ms / 1000
        for look in self._periods[period_ms]:
            if self._looked.get(look, -math.inf) <= latest:
                look()
