"""Where a vehicle came from: from the archive, if a plugin keeps one, and from what this process has seen."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from fleetflow.errors import FleetflowError
from fleetflow_ui.context import Context
from fleetflow_ui.geo import mercator

log = logging.getLogger(__name__)
REACH_S = 12 * 3600
MOST_POINTS = 2_000
READERS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trail")
"""Archives are files: read beside the event loop, one after the other."""

Line = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
NO_LINE: Line = (np.empty(0, np.float32), np.empty(0, np.float32))


def archived(context: Context, vin: str) -> Line:
    """Return the last hours of a vehicle from the archive, empty when there is none."""
    try:
        history: Any = context.plugins.at_most_one("fleetflow_history", "the archive", context.configuration)
        if history is None:
            return NO_LINE
        try:
            now = time.time()
            pings = history.trail(vin, now - REACH_S, now, MOST_POINTS)
        finally:
            history.close()
    except FleetflowError as error:
        log.warning("trail of %r: %s", vin, error)
        return NO_LINE
    x, y = mercator(pings["latitude"].to_numpy(), pings["longitude"].to_numpy())
    return x.astype(np.float32), y.astype(np.float32)


def joined(old: Line, recent: Line) -> Line:
    """Return the archive's line up to where `recent`, what was seen since, goes on from it."""
    if not len(old[0]):
        return recent
    if not len(recent[0]):
        return old
    distance = np.hypot(old[0] - recent[0][0], old[1] - recent[1][0])
    meets = int(np.argmin(distance))
    if distance[meets] > 5:
        # the archive ends before this process began to look, or is written later
        meets = len(old[0])
    return np.concatenate((old[0][:meets], recent[0])), np.concatenate((old[1][:meets], recent[1]))
