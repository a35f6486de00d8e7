"""Reading and updating the vehicles map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Record = dict[str, Any]
"""A vehicle's record: the ping's fields, source, schema_version, received_at, and other writers' fields."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The records that changed after a revision, each once, and the revision to ask from next time."""

    revision: int
    records: list[Record]


class VehiclesMap(Protocol):
    """The latest record per VIN, read by many processes while the job writes."""

    def get(self, vin: str) -> Record | None:
        """Return the record of `vin`, or None."""
        ...

    def records(self) -> Iterator[Record]:
        """Yield all records in order of VIN, as of one moment."""
        ...

    def count(self) -> int:
        """Return the number of vehicles."""
        ...

    def changed_since(self, revision: int, most: int | None = None) -> Changes:
        """Return what changed after `revision` (0: everything). Costs what changed, not what there is.

        With `most`, that many records or somewhat more at a time, and the revision that they reach to: ask
        again from there. Fewer than `most` are the last ones.
        """
        ...

    def update(self, vin: str, fields: Mapping[str, Any]) -> Record | None:
        """Set fields that the ping does not own (None removes one); returns the record, None if unknown.

        The ping's own fields are refused with a FleetflowError.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
