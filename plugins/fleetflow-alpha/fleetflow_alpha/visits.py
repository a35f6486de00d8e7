"""Which files are visited next, within a budget of bytes."""

from __future__ import annotations

from fleetflow_alpha.reading import Fetched
from fleetflow_alpha.state import FileState

SMALL_READ = 4096
"""With less than this left of a budget that was used, nothing more is begun."""


class Visit:
    """One file on its way to be read: up to `left` bytes of it, `want` at once, `expected` most likely."""

    __slots__ = ("expected", "found", "left", "state", "want")

    found: Fetched | OSError

    def __init__(self, state: FileState, left: int, want: int, expected: int) -> None:
        self.state, self.left, self.want, self.expected = state, left, want, expected


class Budget:
    """How many bytes may still be read, some of them by visits that are under way."""

    __slots__ = ("_block", "_in_hand", "_left")

    def __init__(self, max_bytes: int, block_bytes: int) -> None:
        self._left = max(1, max_bytes)
        self._block = block_bytes
        self._in_hand = 0

    def suffices(self, used: bool) -> bool:
        """Whether enough is left for another visit, `used` being whether something was read."""
        return self._left - self._in_hand >= (SMALL_READ if used or self._in_hand else 1)

    def plan(self, state: FileState) -> Visit:
        """Return a visit of a file, which is under way from now on."""
        left = self._left - self._in_hand
        likely = max(0, state.size - state.searched) + SMALL_READ
        if self._in_hand:
            # several at once: of a file that has grown meanwhile the rest comes next time
            left = min(left, likely)
        want = min(left, self._block)
        visit = Visit(state, left, want, min(want, likely))
        self._in_hand += visit.expected
        return visit

    def done(self, visit: Visit, looked: int) -> None:
        """Take note of the end of a visit that looked through so many bytes."""
        self._in_hand -= visit.expected
        self._left -= looked
