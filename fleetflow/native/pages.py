"""Pages of the usual form, JSON arrays of flat objects, read in C."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import polars as pl

from fleetflow.native.library import library
from fleetflow.native.table import KINDS, LARGEST, MOST_COLUMNS, CTable, take


class PageReader:
    """Reads pages of objects that have fields of some names and kinds."""

    def __init__(
        self, found: ctypes.CDLL, names: Sequence[str], kinds: bytes, required: Sequence[bool]
    ) -> None:
        self._library = found
        self._read = found.fleetflow_read_pages
        self._read.restype = ctypes.POINTER(CTable)
        self._names = (ctypes.c_char_p * len(names))(*(name.encode() for name in names))
        self._kinds = kinds
        self._required = sum(1 << index for index, needed in enumerate(required) if needed)

    def read(self, data: Sequence[bytes]) -> tuple[list[pl.Series], list[int]] | None:
        """Return a column per field, and the number of objects per page; None: others have to read them."""
        count = len(data)
        sizes = list(map(len, data))
        if sum(sizes) > LARGEST:
            return None
        numbers: Any = ctypes.c_int64 * count
        records = numbers()
        pointer = self._read(
            (ctypes.c_char_p * count)(*data),
            numbers(*sizes),
            ctypes.c_int64(count),
            self._kinds,
            self._names,
            len(self._kinds),
            ctypes.c_uint32(self._required),
            records,
        )
        if not pointer:
            return None
        columns, _ = take(self._library, pointer)
        return columns, list(records)


def page_reader(fields: Sequence[tuple[str, pl.DataType, bool]]) -> PageReader | None:
    """Return a reader of fields, each a name, a type and whether it must be there.

    What need not be there must be words, which are none then. None where they cannot be read in C.
    """
    found = library()
    words = pl.List(pl.String())
    if found is None or not 0 < len(fields) < MOST_COLUMNS:
        return None
    if any(dtype not in KINDS or not (needed or dtype == words) for _, dtype, needed in fields):
        return None
    if any(not name.isascii() or not name.isprintable() or "\0" in name for name, _, _ in fields):
        return None
    return PageReader(
        found,
        [name for name, _, _ in fields],
        bytes(KINDS[dtype] for _, dtype, _ in fields),
        [needed for _, _, needed in fields],
    )
