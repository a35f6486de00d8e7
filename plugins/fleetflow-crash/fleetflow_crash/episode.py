"""When a crash of one vehicle begins and ends. Pure: knows no batches, no events and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fleetflow.motion.runs import Floats

Change = Literal["crashed", "cleared"]


@dataclass(slots=True)
class Episode:
    """What is remembered of a vehicle that has crashed; all times are event time, seconds since 1970.

    `began` is the time of the ping that made the crash known, None when the crash is over. `mark` is the time
    of the newest ping with a code while a crash lasts, and the time it was cleared when it is over: pings up
    to it tell nothing new. `quiet_from` and `quiet_to` are the oldest and the newest ping without a code
    that came after the ping at `mark` and are newer than it.
    """

    began: float | None = None
    mark: float = float("-inf")
    quiet_from: float = float("inf")
    quiet_to: float = float("-inf")

    def take(self, time: Floats, coded: bool, clear_after_s: float) -> tuple[int, Change] | None:
        """Take the vehicle's next pings, of which all or none have a code, in order of arrival.

        Returns which one changed something, and what: of pings with a code the rest is taken, too; those
        after one that cleared a crash are not, and would change nothing.

        A ping with a code begins a crash, or, when one lasts, makes it last on: the count of quiet pings
        begins anew. Pings without one clear it when the newest of them is `clear_after_s` seconds after the
        oldest (0: never). `began` stays set until the next crash begins or `over` is called.
        """
        new = np.flatnonzero(time > self.mark)
        if not len(new):
            return None
        time = time[new]
        if coded:
            known = self.began is not None
            if not known:
                self.began = float(time[0])
            self.mark, self.quiet_from, self.quiet_to = float(time.max()), float("inf"), float("-inf")
            return None if known else (int(new[0]), "crashed")
        if self.began is None or not clear_after_s:
            return None
        oldest = np.minimum(np.minimum.accumulate(time), self.quiet_from)
        newest = np.maximum(np.maximum.accumulate(time), self.quiet_to)
        clears = np.flatnonzero(newest - oldest >= clear_after_s)
        last = clears[0] if len(clears) else -1
        self.quiet_from, self.quiet_to = float(oldest[last]), float(newest[last])
        return (int(new[last]), "cleared") if len(clears) else None

    def over(self) -> None:
        """Note that the crash was cleared: codes up to now belong to it."""
        self.began, self.mark = None, self.quiet_to
        self.quiet_from, self.quiet_to = float("inf"), float("-inf")
