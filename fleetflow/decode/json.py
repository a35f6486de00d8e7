"""JSON arrays to pings.

Pages of the usual form are read in C where that was compiled (`fleetflow.native`). For the others msgspec
checks and builds all elements of a page at once. A page with an element that does not fit is taken apart:
that element is rejected with its own bytes, the others go on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
import polars as pl

from fleetflow.contracts.payload import Payload, Place, Reject
from fleetflow.contracts.schema import Decoded
from fleetflow.decode.field import Field
from fleetflow.decode.merge import MALFORMED, in_payload_order, whole
from fleetflow.native.pages import page_reader

PYTHON_TYPES: dict[pl.DataType | type[pl.DataType], Any] = {
    pl.String: str,
    pl.Float64: float,
    pl.Int64: int,
    pl.Boolean: bool,
    pl.List(pl.String): tuple[str, ...],
}
"""The types a field may have, with what JSON must hold for it. An array becomes a tuple: the empty one is
always the same object, while a list per ping would keep the garbage collector busy."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot read; the last for arrays in arrays in arrays."""
INT64 = range(-(2**63), 2**63)
FITTING: dict[Any, Any] = {int: Annotated[int, msgspec.Meta(ge=INT64.start, le=INT64.stop - 1)]}
"""The types whose values may be too large for a column, with the bounds that they must keep."""


class JsonDecoder:
    """Decodes `application/json` payloads, each one array of objects."""

    def __init__(self, fields: Sequence[Field]) -> None:
        members: list[Any] = []
        for field in fields:
            kind = PYTHON_TYPES[field.dtype]
            if field.required:
                members.append((field.name, kind))
            elif isinstance(field.default, list):
                members.append((field.name, kind, tuple(field.default)))
            else:
                members.append((field.name, kind | None, field.default))
        record: Any = msgspec.defstruct("Ping", members, gc=False, kw_only=True)
        # of a page it is enough to know that one does not fit, which msgspec sees while it reads
        fitting = [(name, FITTING.get(kind, kind), *default) for name, kind, *default in members]
        page: Any = msgspec.defstruct("FittingPing", fitting, gc=False, kw_only=True)
        self._columns = {field.name: field.dtype for field in fields}
        self._page = msgspec.json.Decoder(list[page])
        self._element = msgspec.json.Decoder(record)
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])
        self._native = None
        if all(field.required or field.default == [] for field in fields):
            self._native = page_reader([(field.name, field.dtype, field.required) for field in fields])

    def decode(self, payloads: Sequence[Payload]) -> Decoded:
        """Turn pages into pings and rejects, one record per element."""
        if self._native is not None:
            read = self._native.read([payload.data for payload in payloads])
            if read is not None:
                columns, records = read
                frame = pl.DataFrame(
                    [column.alias(name) for name, column in zip(self._columns, columns, strict=True)]
                )
                return Decoded(frame, [], records, self._locator(payloads, records, frame["sequence"]))
            if len(payloads) > 1:
                # only the pages that are not of the usual form
                return in_payload_order(payloads, {p.media_type: self for p in payloads}, self._columns)
        return self._by_elements(payloads)

    def _locator(
        self, payloads: Sequence[Payload], counts: Sequence[int], sequences: pl.Series
    ) -> Callable[[Sequence[int]], Sequence[Place]]:
        """Return what finds the elements of pings again; `counts` are the pings per payload."""
        ends = list(accumulate(counts))

        def locate(rows: Sequence[int]) -> Sequence[Place]:
            return [self._place(payloads[bisect_right(ends, row)], int(sequences[row])) for row in rows]

        return locate

    def _by_elements(self, payloads: Sequence[Payload]) -> Decoded:
        pings: list[Any] = []
        counts: list[int] = []
        rejects: list[Reject] = []
        records: list[int] = []
        for payload in payloads:
            try:
                page = self._page.decode(payload.data)
                count = len(page)
            except UNREADABLE:
                page, refused, count = self._one_by_one(payload)
                rejects.extend(refused)
            records.append(count)
            pings.extend(page)
            counts.append(len(page))
        frame = pl.DataFrame(
            [
                _series(name, dtype, list(map(attrgetter(name), pings)))
                for name, dtype in self._columns.items()
            ]
        )
        return Decoded(frame, rejects, records, self._locator(payloads, counts, frame["sequence"]))

    def _one_by_one(self, payload: Payload) -> tuple[list[Any], list[Reject], int]:
        try:
            elements = self._raw.decode(payload.data)
        except UNREADABLE as error:
            reason = f"not a JSON array of objects: {error}"
            return [], [Reject(whole(payload), MALFORMED, reason, payload.received_at)], 1
        good, refused = [], []
        for number, element in enumerate(elements):
            raw = bytes(element)
            try:
                ping = self._element.decode(raw)
                _must_fit(ping)
                good.append(ping)
            except (*UNREADABLE, OverflowError) as error:
                start = _sequence_of(raw)
                if start is None:
                    # without a sequence of its own its place is the page, and its number in the page
                    start = payload.start * 1_000_000 + number if payload.start > 0 else -1 - number
                place = Place(
                    payload.source,
                    payload.partition,
                    payload.resource,
                    start,
                    start + 1,
                    raw,
                    payload.media_type,
                )
                refused.append(Reject(place, MALFORMED, str(error), payload.received_at))
        return good, refused, len(elements)

    def _place(self, payload: Payload, sequence: int) -> Place:
        for element in self._raw.decode(payload.data):
            raw = bytes(element)
            if _sequence_of(raw) == sequence:
                return Place(
                    payload.source,
                    payload.partition,
                    payload.resource,
                    sequence,
                    sequence + 1,
                    raw,
                    payload.media_type,
                )
        raise LookupError(
            f"sequence {sequence} is not in {payload.resource} [{payload.start}, {payload.end})"
        )


def _series(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    if dtype != pl.List(pl.String):
        return pl.Series(name, values, dtype)
    if not any(values):
        return pl.Series(name, [[]], dtype).new_from_index(0, len(values))
    # Polars takes a list of lists apart in Python, one by one: 10 times slower than putting them together
    rows = np.repeat(np.arange(len(values), dtype=np.uint32), list(map(len, values)))
    items = pl.Series(name, list(chain.from_iterable(values)), pl.String)
    filled = pl.DataFrame([pl.Series("row", rows), items]).group_by("row", maintain_order=True).agg(name)
    every = pl.DataFrame({"row": np.arange(len(values), dtype=np.uint32)})
    return every.join(filled, on="row", how="left", maintain_order="left")[name].fill_null([])


class _Sequenced(msgspec.Struct):
    sequence: int


# made once, at import: two threads that begin to decode into one class at the same time crash msgspec
_SEQUENCE = msgspec.json.Decoder(_Sequenced)


def _sequence_of(raw: bytes) -> int | None:
    try:
        return _SEQUENCE.decode(raw).sequence
    except UNREADABLE:
        return None


def _must_fit(ping: Any) -> None:
    """Raise OverflowError when a sequence does not fit into 64 bits."""
    if ping.sequence not in INT64:
        raise OverflowError("sequence does not fit into 64 bits")
