"""Turning payloads into pings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from fleetflow.contracts.payload import Payload, Place, Reject


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a schema made of some payloads of one source.

    `pings` has one row per ping, in the order of the input, with the columns of the schema and nothing
    else. `rejects` are the records no ping could be made of. `records[i]` is how many records (pings
    and rejects) payload i held: `sum(records) == pings.height + len(rejects)`.
    `locate(rows)` tells the place of some rows of `pings`; it is asked only for rows that a validation
    rule turned down.
    """

    pings: pl.DataFrame
    rejects: Sequence[Reject]
    records: Sequence[int]
    locate: Callable[[Sequence[int]], Sequence[Place]]


class PingSchema(Protocol):
    """The shape of a ping, in one version. Exactly one is active in a job."""

    name: str
    version: int
    columns: Mapping[str, pl.DataType]
    """Name and type per column, in order. Always among them: vin (String), latitude, longitude (Float64,
    degrees), time (Float64, seconds since 1970), sequence (Int64)."""

    def media_types(self) -> Sequence[str]:
        """Return the media types `decode` understands, such as `text/csv` and `application/json`."""
        ...

    def decode(self, payloads: Sequence[Payload]) -> Decoded:
        """Turn payloads of one source into pings and rejects. Bad data never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """Turns a stored record of schema `from_version` into one of `from_version + 1`.

    Fields it does not know are handed on as they are.
    """

    schema: str
    from_version: int
    migrate: Callable[[Mapping[str, Any]], dict[str, Any]]
