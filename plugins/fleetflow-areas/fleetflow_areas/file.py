"""The areas as they are now, in a file that may change."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fleetflow_areas.area import AreasError
from fleetflow_areas.geojson import parse
from fleetflow_areas.index import Areas

log = logging.getLogger(__name__)

Mark = tuple[int, int, int]


class AreasFile:
    """Reads the file when it is first asked, and again when time of change, size or inode differ.

    Shared by all shards of a process, which may run in several threads. The first file must be right: a job
    must not silently run without areas. Later a broken one is refused with an error in the log, and the
    areas before it stay.
    """

    def __init__(self, path: Path, check_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._check_s = check_s
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._mark: Mark | None = None
        self._areas: Areas | None = None

    def areas(self) -> Areas:
        """Return the areas of now; the same object until they change. Raises AreasError at first only."""
        with self._lock:
            now = self._clock()
            if self._areas is None:
                self._mark, self._areas = self._read()
                self._looked_at = now
            elif now - self._looked_at >= self._check_s:
                self._looked_at = now
                self._areas = self._look(self._areas)
            return self._areas

    def _look(self, areas: Areas) -> Areas:
        try:
            mark = _mark_of(self.path.stat())
        except OSError as error:
            # told once, not at every look
            if self._mark is not None:
                log.error("%s cannot be read, the areas stay as they were: %s", self.path, error.strerror)  # noqa: TRY400
            self._mark = None
            return areas
        if mark == self._mark:
            return areas
        self._mark = mark
        try:
            self._mark, areas = self._read()
        except AreasError as error:
            log.error("%s; the areas stay as they were", error.message)  # noqa: TRY400 - a user's mistake, not a bug
        else:
            log.info("%s has changed: %d areas", self.path, len(areas.areas))
        return areas

    def _read(self) -> tuple[Mark, Areas]:
        try:
            with self.path.open("rb") as file:
                mark = _mark_of(os.fstat(file.fileno()))
                data = file.read()
        except OSError as error:
            raise AreasError(
                f"the areas cannot be read: {self.path}: {error.strerror}",
                'correct [areas] file, or turn the detector off: [areas] file = ""',
            ) from error
        try:
            return mark, Areas(parse(data))
        except AreasError as error:
            raise AreasError(f"{self.path}: {error.message}", error.hint) from error


def _mark_of(stat: os.stat_result) -> Mark:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
