"""What a source emits, and what becomes of the parts that cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as the vendor sent them, with where they came from.

    `start` and `end` are the place of the bytes in `resource` as a half-open range: byte offsets in a
    file, sequences of a web service. Payloads of one resource are emitted in rising order without gaps
    or overlap, unless a `Notice` says why.

    `digest` is whatever the source can derive again from the raw input alone to prove that `end` was
    reached on the same data: for files the CRC-32 of all bytes from the beginning of the resource to
    `end`. `received_at` is seconds since 1970, when the bytes arrived here.
    """

    source: str
    partition: str
    resource: str
    start: int
    end: int
    data: bytes
    media_type: str
    received_at: float
    digest: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A payload without its bytes, for the ledger: `records` were found in [start, end) of `resource`."""

    source: str
    partition: str
    resource: str
    start: int
    end: int
    records: int
    digest: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one record stands: [start, end) of `resource`, and its raw bytes."""

    source: str
    partition: str
    resource: str
    start: int
    end: int
    raw: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is not a valid ping: quarantined, counted, never dropped.

    `rule` is the name of the validation rule that it broke, or `malformed` when no ping could be made
    of it; `reason` says in words what was found and what was expected.
    """

    place: Place
    rule: str
    reason: str
    received_at: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a source noticed that its reader must know: a gap, a restart, a replaced file, its lag.

    `kind` is one word: `gap`, `restart`, `replaced`, `truncated`, `deleted`, `unreadable`, `error`,
    `recovered`, or `progress`. Of `progress` only the newest per partition is kept; it carries
    `behind` (a number) and `unit` (`bytes` or `pings`) in `data`. A `gap` carries `lost` (pings).
    """

    source: str
    partition: str
    kind: str
    message: str
    time: float
    data: Mapping[str, Any] = field(default_factory=dict)
