"""Turning pings into events."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import polars as pl


class Event(msgspec.Struct, frozen=True):
    """Something that happened to one vehicle, derived from its pings.

    `id` is derived from the input alone (never from the clock or a random number), so that a replay
    makes the same event again and the event store adds nothing. `time` is event time, seconds since
    1970. `update` holds fields to set on the vehicle's record, such as `status` and `note`; a value of
    None removes the field.

    `only_if` names fields that several detectors share. Fields of `update` that it names are set together,
    and only while each field that it names has one of the values given for it (None: the record has no such
    field; no values: whatever it has). `only_if={"status": ["CRASHED"], "note": []}` lets a crash that is
    over take its own status and note away, not those of somebody else.
    """

    id: str
    vin: str
    time: float
    kind: str
    severity: str
    message: str
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    ping: Mapping[str, Any] = msgspec.field(default_factory=dict)
    update: Mapping[str, Any] = msgspec.field(default_factory=dict)
    only_if: Mapping[str, Sequence[Any]] = msgspec.field(default_factory=dict)


class DetectorShard(Protocol):
    """The state of one detector for the vehicles of one shard. Used by one thread."""

    def on_pings(self, pings: pl.DataFrame) -> Sequence[Event]:
        """Take every valid ping of the shard, in order of arrival (late and repeated ones too).

        Columns: those of the schema, `source` and `received_at`. Must be vectorised.
        """
        ...

    def snapshot(self) -> Any:
        """Return the state as plain data with a version; it is pickled into the recovery store."""
        ...


class Detector(Protocol):
    """A plugin that watches pings. Added later to a job it starts from its defined empty state."""

    name: str
    """Names its state in the recovery store: never changes."""

    def open(self, state: Any | None) -> DetectorShard:
        """Open one shard with the state that `snapshot` returned, or with None from the empty state."""
        ...
