"""The source that puts requeued rejects back through."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleetflow.contracts.payload import Payload
from fleetflow.quarantine.store import QuarantineReader

NAME = "requeue"
POLL_S = 0.5
AT_ONCE = 1000


class RequeueSource:
    """Reads what `fleetflow quarantine requeue` chose, under a source name of its own.

    Resource, start and end are those of the first reading: the sequence of a CSV record is its byte offset
    and must stay the same. The record stays counted as quarantined for its first source.
    """

    name = NAME

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def partitions(self) -> Sequence[str]:
        """Return the one partition."""
        return (NAME,)

    def open(self, partition: str, position: Any | None) -> RequeuePartition:
        """Open after the row that `position` names."""
        return RequeuePartition(
            QuarantineReader(self._folder), 0 if position is None else int(position["row"])
        )


class RequeuePartition:
    """See `RequeueSource`."""

    def __init__(self, reader: QuarantineReader, row: int) -> None:
        self._reader = reader
        self._row = row
        self._asked = -POLL_S
        self._full = False

    def poll(self, max_bytes: int) -> Sequence[Payload]:
        """Return requeued records, at most every half second when there were none."""
        if not self._full and time.monotonic() - self._asked < POLL_S:
            return ()
        self._asked = time.monotonic()
        rows = self._reader.requeued_after(self._row, AT_ONCE)
        self._full = len(rows) == AT_ONCE
        now = time.time()
        payloads = []
        for row, resource, start, end, media_type, raw in rows:
            # an element of a JSON array becomes an array of one
            data = b"[" + raw + b"]" if media_type == "application/json" and not raw.startswith(b"[") else raw
            payloads.append(Payload(NAME, NAME, resource, start, end, data, media_type, now))
            self._row = row
        return payloads

    def next_poll_s(self) -> float:
        """Return the time until the table is looked at again."""
        return 0.0 if self._full else max(0.0, POLL_S - (time.monotonic() - self._asked))

    def caught_up(self) -> bool:
        """Whether the last look found nothing more."""
        return not self._full

    def position(self) -> dict[str, int]:
        """Return the last row that was emitted."""
        return {"v": 1, "row": self._row}

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
