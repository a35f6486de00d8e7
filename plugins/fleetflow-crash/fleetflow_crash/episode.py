"""When a crash of one vehicle begins and ends. Pure: knows no batches, no events and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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

    def take(self, time: float, coded: bool, clear_after_s: float) -> Change | None:
        """Take the vehicle's next ping, in order of arrival; says whether a crash began or was cleared.

        A ping with a code begins a crash, or, when one lasts, makes it last on: the count of quiet pings
        begins anew. Pings without one clear it when the newest of them is `clear_after_s` seconds after the
        oldest (0: never). `began` stays set until the next crash begins or `over` is called.
        """
        if time <= self.mark:
            return None
        if coded:
            known = self.began is not None
            if not known:
                self.began = time
            self.mark, self.quiet_from, self.quiet_to = time, float("inf"), float("-inf")
            return None if known else "crashed"
        if self.began is None or not clear_after_s:
            return None
        self.quiet_from = min(self.quiet_from, time)
        self.quiet_to = max(self.quiet_to, time)
        return "cleared" if self.quiet_to - self.quiet_from >= clear_after_s else None

    def over(self) -> None:
        """Note that the crash was cleared: codes up to now belong to it."""
        self.began, self.mark = None, self.quiet_to
        self.quiet_from, self.quiet_to = float("inf"), float("-inf")
