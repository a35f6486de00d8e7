"""Where the lines of pings stand: in a batch of payloads, and in their files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from fleetflow.contracts.payload import Payload, Place

NEWLINE = 0x0A


class Lines:
    """Where each line of a batch stands, in the batch and in its file; found out when it is asked for."""

    def __init__(self, payloads: Sequence[Payload]) -> None:
        self._payloads = payloads

    def __len__(self) -> int:
        return len(self._starts)

    @cached_property
    def data(self) -> bytes:
        """All payloads, one after the other."""
        if len(self._payloads) == 1:
            return self._payloads[0].data
        return b"".join(payload.data for payload in self._payloads)

    @cached_property
    def records(self) -> list[int]:
        """The number of lines per payload."""
        records: list[int] = np.diff(self._first_line).tolist()
        return records

    @cached_property
    def sequence(self) -> pl.Series:
        """Where each line starts in its file."""
        shift = np.array([payload.start for payload in self._payloads], np.int64) - self._borders[:-1]
        found = self._starts + np.repeat(shift, np.diff(self._first_line))
        return pl.Series("sequence", found, pl.Int64)

    @cached_property
    def _ends(self) -> np.ndarray:
        ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == NEWLINE).astype(np.int64) + 1
        if len(self.data) and (not len(ends) or ends[-1] != len(self.data)):
            ends = np.append(ends, len(self.data))
        return ends

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.concatenate((np.zeros(1, np.int64), self._ends[:-1])) if len(self._ends) else self._ends

    @cached_property
    def _borders(self) -> np.ndarray:
        return np.cumsum([0] + [len(payload.data) for payload in self._payloads])

    @cached_property
    def _first_line(self) -> np.ndarray:
        return np.searchsorted(self._starts, self._borders)

    def bounds(self) -> list[tuple[int, int]]:
        """Return where each line starts and ends in `data`."""
        return list(zip(self._starts.tolist(), self._ends.tolist(), strict=True))

    def at(self, lines: Sequence[int]) -> list[tuple[Place, Payload]]:
        """Return the place of each of some lines, and the payload that it stands in."""
        found = []
        for line in lines:
            start, end = int(self._starts[line]), int(self._ends[line])
            index = int(np.searchsorted(self._borders, start, side="right")) - 1
            payload = self._payloads[index]
            offset = payload.start - int(self._borders[index])
            place = place_of(payload, start + offset, end + offset, self.data[start:end])
            found.append((place, payload))
        return found


class Locator:
    """Finds the lines of pings again; `rows` maps pings to lines when some lines were rejected."""

    def __init__(self, lines: Lines, rows: np.ndarray | None) -> None:
        self._lines = lines
        self._rows = rows

    def __call__(self, rows: Sequence[int]) -> Sequence[Place]:
        """Return the places of the lines of some pings."""
        lines = rows if self._rows is None else [int(self._rows[row]) for row in rows]
        return [place for place, _ in self._lines.at(lines)]


class SequenceLocator:
    """Finds the lines of pings again by their sequence, which is where a line starts in its file.

    `records` is the number of lines per payload; `rows` as for `Locator`. Nothing is searched for newlines
    but the lines that are asked for.
    """

    def __init__(
        self,
        payloads: Sequence[Payload],
        records: Sequence[int],
        sequences: pl.Series,
        rows: np.ndarray | None,
    ) -> None:
        self._payloads = payloads
        self._records = records
        self._sequences = sequences
        self._rows = rows

    def __call__(self, rows: Sequence[int]) -> Sequence[Place]:
        """Return the places of the lines of some pings."""
        asked = np.array(rows, np.int64)
        lines = asked if self._rows is None else self._rows[asked]
        which = np.searchsorted(np.cumsum(self._records), lines, side="right").tolist()
        places = []
        for payload, start in zip(
            map(self._payloads.__getitem__, which), self._sequences.gather(asked).to_list(), strict=True
        ):
            begin = start - payload.start
            end = payload.data.index(b"\n", begin) + 1
            places.append(place_of(payload, start, payload.start + end, payload.data[begin:end]))
        return places


def place_of(payload: Payload, start: int, end: int, raw: bytes) -> Place:
    """Return the place of some bytes of a payload, from `start` to `end` of its file."""
    return Place(payload.source, payload.partition, payload.resource, start, end, raw, payload.media_type)
