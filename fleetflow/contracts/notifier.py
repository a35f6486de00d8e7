"""Telling others of events."""

from collections.abc import Sequence
from typing import Protocol

from fleetflow.contracts.detector import Event


class Notifier(Protocol):
    """A way out for events: a log, a file, a web service. Used by one thread, which is not the flow's.

    Each event is handed over at least once, in the order in which the event store took them in; a replay of
    the input hands over nothing again. A notifier that is slow or fails delays its own events only, never
    the flow nor another notifier. `data`, `ping` and `update` are as the detector made them, or as they came
    back from JSON.
    """

    name: str
    """Names how far it has come in the event store: never changes."""

    def notify(self, events: Sequence[Event]) -> None:
        """Deliver `events`; raise to be given them again later, after a pause that grows."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
