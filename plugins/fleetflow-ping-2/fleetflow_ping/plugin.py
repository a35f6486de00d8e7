"""Ping schema 2: where a vehicle was, when, and the engine codes that it reported."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fleetflow.contracts.schema import Migration
from fleetflow.decode.schema import Field, FieldsSchema
from fleetflow.plugins import hookimpl

FIELDS = (
    Field("vin", pl.String()),
    Field("latitude", pl.Float64()),
    Field("longitude", pl.Float64()),
    Field("time", pl.Float64()),
    Field("sequence", pl.Int64(), csv=False),
    Field("obd_codes", pl.List(pl.String()), required=False, default=[]),
)


@hookimpl
def fleetflow_schema() -> FieldsSchema:
    """Return schema 2."""
    return FieldsSchema("ping", 2, FIELDS)


@hookimpl
def fleetflow_migrations() -> Sequence[Migration]:
    """Return the step from schema 1."""
    return [Migration("ping", 1, add_codes)]


def add_codes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a record of version 1 into one of version 2: no codes are known yet."""
    return {**record, "obd_codes": record.get("obd_codes", [])}
