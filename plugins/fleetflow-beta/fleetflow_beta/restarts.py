"""Whether a service has started again. Asks for pings that were read before, decides by the answers.

Nothing in an answer says so. The sequences of a service rise from 0, and its history loses the lowest
first. So it has started again when a ping has another content than before, or when one is gone although
there are lower ones. When all are gone (its history was emptied, or it started again and has no ping
yet) nothing can be told until there are some. When only ours are gone, its history is shorter than we
were away: that is a gap, not a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from fleetflow_beta.client import UNREADABLE, FetchError
from fleetflow_beta.page import UNIDENTIFIED, Mark, Page
from fleetflow_beta.reached import Reached

Ask = Callable[[int, int], Page]
"""Asks the service for (since, limit); raises FetchError."""


class Verdict(Enum):
    """What has become of a ping that was read before."""

    SAME = "the service still has it"
    OTHER = "the service has started again"
    DROPPED = "the service has only later ones"
    UNKNOWN = "nothing can be told now"


def verdict(reached: Reached, ask: Ask) -> Verdict:
    """Say whether the service has started again since it was `reached`, by one to four small requests.

    The anchor is asked for first: it is the older one, so its being the same speaks for the mark too.
    """
    for mark in dict.fromkeys(filter(None, (reached.anchor, reached.mark))):
        found = compare(mark, ask)
        if found is not Verdict.DROPPED:
            return found
    return Verdict.DROPPED


def compare(mark: Mark, ask: Ask) -> Verdict:
    """Say what has become of one ping."""
    sequence, fingerprint = mark
    try:
        page = ask(sequence - 1, 1)
        if not page.sequences:
            lowest = ask(-1, 1).sequences
            below = bool(lowest) and lowest[0] is not None and lowest[0] < sequence
            return Verdict.OTHER if below else Verdict.UNKNOWN
    except FetchError as error:
        if error.kind in UNREADABLE:
            return Verdict.UNKNOWN
        raise
    if sequence in page.sequences:
        same = fingerprint == UNIDENTIFIED or page.mark(page.sequences.index(sequence)) == mark
        return Verdict.SAME if same else Verdict.OTHER
    first = page.sequences[0]
    # lower ones were not asked for: a service that answers so cannot be verified
    return Verdict.UNKNOWN if first is not None and first < sequence else Verdict.DROPPED
