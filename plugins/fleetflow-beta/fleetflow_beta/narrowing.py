"""How many pings to ask for, when a page cannot be read: halve until one bad ping is found."""

from __future__ import annotations

STUCK = 3
"""Unreadable answers to a question for one ping after which that ping is to blame."""


class Narrowing:
    """Chooses the limit of the next request.

    One answer that is too large or not JSON, again and again, would stop a reader for ever, though only
    one ping in it is bad. So the limit is halved, which takes about log2(limit) requests to leave that
    ping alone; everything before it is read. Once beyond it, the limit is as configured again.
    """

    def __init__(self, limit: int) -> None:
        self._full = limit
        self.limit = limit
        self._failures = 0
        self._upto: int | None = None

    @property
    def active(self) -> bool:
        """Whether the bad ping has not been passed yet."""
        return self._upto is not None

    @property
    def found(self) -> bool:
        """Whether a single ping cannot be read, again and again."""
        return self.limit == 1 and self._failures >= STUCK

    def failed(self, since: int, too_large: bool) -> bool:
        """Take note of an unreadable page after `since`; returns whether less will be asked for next."""
        self._failures += 1
        if self.limit == 1 and self.active:
            self._upto = since + 1
        if self.limit == 1 or (self._failures < 2 and not too_large and not self.active):
            return False
        self._upto = since + self.limit
        self.limit //= 2
        self._failures = 0
        return True

    def passed(self, since: int, more: bool) -> None:
        """Take note that everything up to `since` is read; `more` is whether there may be more."""
        self._failures = 0
        if self._upto is None:
            return
        if since >= self._upto or not more:
            self._upto, self.limit = None, self._full
        else:
            self.limit = max(1, (self._upto - since) // 2)

    def retract(self) -> None:
        """Take note that the single ping is not to blame, or cannot be told to be."""
        self._failures = 0
