"""A ping schema made from a list of fields."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fleetflow.contracts.payload import Payload
from fleetflow.contracts.schema import Decoded
from fleetflow.decode.field import Field
from fleetflow.decode.merge import Decoder, in_payload_order

__all__ = ["Field", "FieldsSchema"]


class FieldsSchema:
    """A `PingSchema` (see `fleetflow.contracts.schema`) for records in CSV lines and JSON arrays.

    - `text/csv`: no header, one record per line in the order of the fields that have `csv` set; optional
      fields may be absent at the end of a line, further columns are ignored; lists are separated by
      spaces. The sequence of a record is the byte offset of its line, which rises within a file, is the
      same at every replay, and needs nothing from the vendor.
    - `application/json`: an array of objects with the fields' names; further names are ignored.
    """

    def __init__(self, name: str, version: int, fields: Sequence[Field]) -> None:
        # NumPy is slow to import, and commands that decode nothing do not need it
        from fleetflow.decode import csv, json  # noqa: PLC0415

        self.name = name
        self.version = version
        self.fields = tuple(fields)
        self.columns: dict[str, pl.DataType] = {field.name: field.dtype for field in fields}
        self._decoders: dict[str, Decoder] = {
            "text/csv": csv.CsvDecoder(self.fields),
            "application/json": json.JsonDecoder(self.fields),
        }

    def media_types(self) -> Sequence[str]:
        """Return the media types that `decode` understands."""
        return tuple(self._decoders)

    def decode(self, payloads: Sequence[Payload]) -> Decoded:
        """Turn payloads of one source into pings and rejects; see the contract."""
        kinds = {payload.media_type for payload in payloads}
        if len(kinds) == 1:
            (kind,) = kinds
            if kind in self._decoders:
                return self._decoders[kind].decode(payloads)
        return in_payload_order(payloads, self._decoders, self.columns)
