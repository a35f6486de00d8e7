"""CSV lines of the usual form, read in C."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from fleetflow.native.library import library
from fleetflow.native.table import KINDS, LARGEST, MOST_COLUMNS, CTable, take


class Lines(NamedTuple):
    """What was read of some payloads.

    `columns` has one per field, then one for where each line starts in its file. `records` is the number of
    lines per payload. Each of `strange` is a line that was not read: payload, start and end in it, and number
    of the line among all.
    """

    columns: list[pl.Series]
    records: list[int]
    strange: list[tuple[int, int, int, int]]


class LineReader:
    """Reads lines with the columns `kinds`, of which the first `required` must be there."""

    def __init__(self, found: ctypes.CDLL, kinds: bytes, required: int) -> None:
        self._library = found
        self._read = found.fleetflow_read_lines
        self._read.restype = ctypes.POINTER(CTable)
        self._kinds, self._required = kinds, required

    def read(self, data: Sequence[bytes], starts: Sequence[int]) -> Lines | None:
        """Read payloads that begin at `starts` of their files; None: they are better read by others."""
        count = len(data)
        sizes = list(map(len, data))
        if sum(sizes) > LARGEST or not all(piece.endswith(b"\n") for piece in data):
            return None
        numbers: Any = ctypes.c_int64 * count
        records = numbers()
        pointer = self._read(
            (ctypes.c_char_p * count)(*data),
            numbers(*sizes),
            numbers(*starts),
            ctypes.c_int64(count),
            self._kinds,
            len(self._kinds),
            self._required,
            records,
        )
        if not pointer:
            return None
        columns, places = take(self._library, pointer)
        strange = list(zip(*[iter(places)] * 4, strict=True))
        return Lines(columns, list(records), strange)


def line_reader(dtypes: Sequence[pl.DataType], required: int) -> LineReader | None:
    """Return a reader of lines with columns of these types; None where they cannot be read in C.

    The first `required` may be anything but words, the others must be words.
    """
    found = library()
    if found is None or not 0 < required <= len(dtypes) < MOST_COLUMNS:
        return None
    words = pl.List(pl.String())
    if any(dtype not in KINDS or (dtype == words) != (i >= required) for i, dtype in enumerate(dtypes)):
        return None
    return LineReader(found, bytes(KINDS[dtype] for dtype in dtypes), required)
