"""Notifiers for this machine: the log, and a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from fleetflow.contracts.detector import Event
from fleetflow.events.form import as_dict, printable, to_json
from fleetflow.logs import log_all

log = logging.getLogger("fleetflow.events")

URGENT = frozenset({"warning", "critical"})


class LogNotifier:
    """Writes each event's message to the log: at WARNING when it is serious, at INFO otherwise."""

    name = "log"

    def notify(self, events: Sequence[Event]) -> None:
        """Write one line per event."""
        log_all(
            log,
            [
                (logging.WARNING if event.severity in URGENT else logging.INFO, printable(event.message))
                for event in events
            ],
        )

    def close(self) -> None:
        """Nothing to let go of."""


class FileNotifier:
    """Appends each event to a file, as one JSON object per line.

    Returns when it is on disk. The file is opened for each delivery, so that it may be moved away at any
    time; a line that a kill left unfinished is ended first.
    """

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def notify(self, events: Sequence[Event]) -> None:
        """Append one line per event."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = b"".join(to_json(as_dict(event)) + b"\n" for event in events)
        self._path.touch(0o600)
        with self._path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    lines = b"\n" + lines
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Nothing to let go of."""
