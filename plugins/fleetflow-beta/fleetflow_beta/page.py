"""What one answer of a service holds. Pure functions: bytes in, decisions out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
import polars as pl

from fleetflow.native.pages import page_reader

LARGEST = 2**63 - 1
"""The largest sequence that can be used (pings keep it in 64 bits)."""

Mark = tuple[int, int]
"""A sequence, and the fingerprint of the ping that bore it: tells whether it is still the same ping."""

UNIDENTIFIED = -1
"""The fingerprint in the mark of a ping whose content is not known."""

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

_SEQUENCE_ALONE = (("sequence", pl.Int64(), True),)


class BodyError(Exception):
    """A body that is not a JSON array at all."""


class _Sequenced(msgspec.Struct, gc=False):
    sequence: int


class _Identity(msgspec.Struct, gc=False):
    sequence: int
    vin: msgspec.Raw = msgspec.Raw()
    time: msgspec.Raw = msgspec.Raw()


_SEQUENCES = msgspec.json.Decoder(list[_Sequenced])
_SEQUENCE = msgspec.json.Decoder(_Sequenced)
_IDENTITY = msgspec.json.Decoder(_Identity)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Page:
    """A JSON array: its bytes, and the sequence of each element (None where there is no usable one).

    The sequences are a `range` if each is the one before it and one.
    """

    data: bytes
    sequences: Sequence[int | None]

    def element(self, index: int) -> bytes:
        """Return the bytes of one element, as they came."""
        if index == len(self.sequences) - 1:
            last = self._last()
            if last is not None:
                return last
        return bytes(_ELEMENTS.decode(self.data)[index])

    def _last(self) -> bytes | None:
        """Return the last element without reading the others; None when its beginning is not sure."""
        start, end = self.data.rfind(b"{"), self.data.rfind(b"}") + 1
        raw = self.data[start:end]
        before, after = self.data[max(0, start - 16) : start].rstrip()[-1:], self.data[end:].strip()
        if before not in {b"[", b","} or after != b"]":
            return None
        # what stands in a string has its quotes escaped, and what is nested is followed by more than an
        # end: neither can be read as an object with this sequence
        return raw if _sequence_of(raw) == self.sequences[-1] is not None else None

    def mark(self, index: int) -> Mark:
        """Return sequence and fingerprint of an element that has a usable sequence.

        The fingerprint is the CRC-32 of `[sequence, vin, time]` as compact JSON, or of the whole element,
        its members sorted, when it has neither vin nor time. So a service that adds a member to its pings,
        or writes its JSON in another way, is not taken for one that started again.
        """
        raw = self.element(index)
        identity = _IDENTITY.decode(raw)
        if not (identity.vin or identity.time):
            return identity.sequence, crc32(_canonical(raw))
        parts = b"%d,%b,%b" % (identity.sequence, _canonical(identity.vin), _canonical(identity.time))
        return identity.sequence, crc32(b"[" + parts + b"]")


@dataclass(frozen=True, slots=True)
class Placed:
    """The part of a page that brings a reader on: `fresh` pings in [start, end), `lost` before or between.

    `highest` is the index of the element with sequence `end - 1` in `page`, which is what to hand on.
    """

    page: Page
    start: int
    end: int
    fresh: int
    lost: int
    highest: int


def read(body: bytes) -> Page:
    """Read an answer; raises BodyError when it is not a JSON array.

    One element must not hide the others. So the literals NaN and Infinity, which JSON does not have, are
    turned into strings when a page holds one, and so are its numbers beyond the range of a float; an element
    with half a surrogate pair becomes `{"sequence": N, "unreadable": its text}`. None of them is a ping.
    """
    rising = _rising(body)
    if rising is not None:
        return Page(body, rising)
    try:
        found = [element.sequence for element in _SEQUENCES.decode(body)]
    except _UNREADABLE:
        pass
    else:
        rising = range(found[0], found[0] + len(found)) if found else range(0)
        if found == list(rising) and (not found or (found[0] >= 0 and found[-1] <= LARGEST)):
            return Page(body, rising)
        return Page(body, [_usable(sequence) for sequence in found])
    try:
        elements = _ELEMENTS.decode(body)
    except _UNREADABLE:
        body = _repaired(body)
        try:
            elements = _ELEMENTS.decode(body)
        except _UNREADABLE:
            raise BodyError("it is not JSON") from None
    return Page(body, [_sequence_of(element) for element in elements])


def _rising(body: bytes) -> range | None:
    """Return the sequences of a page of the usual form if each is the one before it and one."""
    reader = page_reader(_SEQUENCE_ALONE)
    read = None if reader is None else reader.read([body])
    if read is None or not len(read[0][0]):
        return None
    sequences = read[0][0].to_numpy()
    first, last = int(sequences[0]), int(sequences[-1])
    if first < 0 or last - first != len(sequences) - 1 or not (np.diff(sequences) == 1).all():
        return None
    return range(first, last + 1)


def place(page: Page, since: int) -> Placed | None:
    """Say how a page brings a reader on that had reached `since`; None: no usable sequence above it.

    Elements without a usable sequence count as pings that stand where a sequence is missing. Those at
    the page's end are left out: the next page brings them again, followed by what tells their place.
    """
    sequences = page.sequences
    count = len(sequences)
    if count and sequences == range(since + 1, since + 1 + count):
        return Placed(page, since + 1, since + 1 + count, count, 0, count - 1)
    above = [s for s in sequences if s is not None and s > since]
    if not above:
        return None
    while sequences[count - 1] is None:
        count -= 1
    if count < len(sequences):
        elements = _ELEMENTS.decode(page.data)[:count]
        page = Page(b"[" + b",".join(map(bytes, elements)) + b"]", list(sequences[:count]))
    distinct = set(above)
    first, last = min(distinct), max(distinct)
    unplaced = sum(sequence is None for sequence in page.sequences)
    lost = max(0, last - since - len(distinct) - unplaced)
    return Placed(
        page=page,
        start=first if lost and unplaced == 0 else since + 1,
        end=last + 1,
        fresh=len(distinct) + unplaced,
        lost=lost,
        highest=page.sequences.index(last),
    )


def quoted(body: bytes, longest: int = 1_000_000) -> bytes:
    """Return `body` as a JSON array of one string: a page whose one element is surely no ping."""
    return json.dumps([body[:longest].decode("utf-8", "backslashreplace")]).encode()


def _usable(sequence: int | None) -> int | None:
    return sequence if sequence is not None and 0 <= sequence <= LARGEST else None


def _sequence_of(element: bytes | msgspec.Raw) -> int | None:
    try:
        return _usable(_SEQUENCE.decode(element).sequence)
    except _UNREADABLE:
        return None


def _canonical(raw: bytes | msgspec.Raw) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="sorted")
    except _UNREADABLE:
        return bytes(raw)


def _repaired(body: bytes) -> bytes:
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=str, parse_float=_finite)
    except UnicodeDecodeError:
        raise BodyError("it is not JSON: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BodyError(f"it is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BodyError("it is JSON of too many levels") from None
    except ValueError:
        raise BodyError("it is not JSON: a number of too many digits") from None
    if not isinstance(value, list):
        kind = "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
        raise BodyError(f"an array was expected, found {kind}")
    return b"[" + b",".join(map(_encoded, value)) + b"]"


def _encoded(element: Any) -> bytes:
    try:
        return json.dumps(element, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        sequence = element.get("sequence") if isinstance(element, dict) else None
        text = json.dumps(element)
        return json.dumps(
            {"sequence": sequence, "unreadable": text} if type(sequence) is int else {"unreadable": text}
        ).encode()


def _finite(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else text
