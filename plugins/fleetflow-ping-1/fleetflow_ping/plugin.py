"""Ping schema 1: where a vehicle was, and when."""

import polars as pl

from fleetflow.decode.schema import Field, FieldsSchema
from fleetflow.plugins import hookimpl

FIELDS = (
    Field("vin", pl.String()),
    Field("latitude", pl.Float64()),
    Field("longitude", pl.Float64()),
    Field("time", pl.Float64()),
    Field("sequence", pl.Int64(), csv=False),
)


@hookimpl
def fleetflow_schema() -> FieldsSchema:
    """Return schema 1."""
    return FieldsSchema("ping", 1, FIELDS)
