"""What a record is, which of two pings is newer, and what may be set on a vehicle.

A record is a JSON object: the ping's fields in the order of the schema, `source`, `received_at`,
`schema_version`, then every other field in order of name. Its text is compact UTF-8 with floats in the
shortest form that reads back as the same number: under one schema, one record has one text.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
import orjson
import polars as pl

from fleetflow.contracts.schema import Migration
from fleetflow.contracts.vehicles import Record
from fleetflow.errors import FleetflowError, StoreError

log = logging.getLogger(__name__)

EXTRA = ("source", "received_at", "schema_version")
"""What is stored with the ping's own fields, after them."""
BASE = ("vin", "latitude", "longitude", "time", "sequence")
"""Fields that every ping schema has."""
MARKS = "event_marks"
"""Per field that an event has set: `[time, id]` of the newest such event."""

FEW = 256
"""Up to so many pings are prepared one by one: in less than a query takes, which would wake other threads."""
PLAIN = frozenset({pl.String(), pl.Int64(), pl.Float64(), pl.Boolean(), pl.List(pl.String())})
"""Types of columns that have one text whichever way they are written."""

OLDEST = -math.inf
FIRST = -(2**63)
DEEPEST = 16
LONGEST_NAME = 64
INTEGERS = range(-(2**63), 2**64)


class Order(msgspec.Struct, gc=False):
    """The part of a record that says how new it is; the rest is skipped when it is read."""

    time: float | None = None
    sequence: int | None = None


_order = msgspec.json.Decoder(Order)


def order_of(vin: str, text: str) -> tuple[float, int]:
    """Return (time, sequence) of a stored record, without building it."""
    try:
        order = _order.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise damaged(vin, error) from error
    time = OLDEST if order.time is None else order.time
    return time, FIRST if order.sequence is None else order.sequence


def parse(vin: str, text: str) -> Record:
    """Return a stored record; StoreError, naming the VIN, when it is not a JSON object."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise damaged(vin, error) from error
    if not isinstance(record, dict):
        raise damaged(vin, f"it is a {type(record).__name__}")
    return record


def damaged(vin: str, why: object) -> StoreError:
    """Return the error for a record that is not a JSON object."""
    return StoreError(
        f"vehicles map: the record of {vin!r:.100} is not a JSON object: {why}",
        "something other than fleetflow wrote it: delete the row, the vehicle's next ping makes it again",
    )


def dumps(fields: Mapping[str, Any]) -> str:
    """Return the JSON text of `fields`, in order of name."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def tie(record: Mapping[str, Any], columns: Sequence[str]) -> tuple[float, float, str, int, str]:
    """Return what decides between two pings of one time and sequence, whichever came first.

    Position, source, the version of the schema that read it (the newer one may have read more of the same
    ping), then the text of the ping's fields: two pings that are equal in all are one ping.
    """
    place = (record.get("latitude"), record.get("longitude"))
    latitude, longitude = (float(value) if isinstance(value, int | float) else OLDEST for value in place)
    fields = {column: record.get(column) for column in columns}
    version = record.get("schema_version")
    return (
        latitude,
        longitude,
        str(record.get("source")),
        version if isinstance(version, int) else 0,
        orjson.dumps(fields).decode(),
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The pings of a batch as the store takes them: by VIN, each VIN once.

    `dropped` are the sources of pings that another one of the same batch supersedes.
    """

    columns: tuple[str, ...]
    vins: list[str]
    texts: list[str]
    times: list[float]
    sequences: list[int]
    sources: list[str]
    dropped: tuple[str, ...] = ()


def prepare(pings: pl.DataFrame, schema_version: int | None) -> Prepared:
    """Turn the pings of a batch (columns of the schema, source, received_at) into records.

    Numbers that JSON cannot hold (nan, infinities) become null; such a time is older than any other.
    """
    columns = tuple(name for name in pings.columns if name not in EXTRA)
    if pings["vin"].null_count():
        raise StoreError(
            "a ping without a VIN came to the vehicles map, which is keyed by it",
            'turn the validation rule on again: take "vin" out of [validation] disabled',
        )
    # picked rather than selected, which would be a query
    ordered = pings[[*columns, "source", "received_at"]]
    if ordered.height <= FEW and set(ordered.dtypes) <= PLAIN:
        prepared = _few(ordered, columns, schema_version)
    else:
        prepared = _many(ordered, columns, schema_version)
    return prepared if len(set(prepared.vins)) == len(prepared.vins) else _newest(prepared)


def _few(pings: pl.DataFrame, columns: tuple[str, ...], schema_version: int | None) -> Prepared:
    """Prepare a handful of pings as Python objects."""
    rows = sorted(pings.rows(named=True), key=itemgetter("vin"))
    # orjson writes null for what JSON cannot hold
    texts = [orjson.dumps({**row, "schema_version": schema_version}).decode() for row in rows]
    times = [row["time"] for row in rows]
    return Prepared(
        columns,
        [row["vin"] for row in rows],
        texts,
        [time if time is not None and math.isfinite(time) else OLDEST for time in times],
        [FIRST if row["sequence"] is None else row["sequence"] for row in rows],
        [row["source"] or "" for row in rows],
    )


def _many(pings: pl.DataFrame, columns: tuple[str, ...], schema_version: int | None) -> Prepared:
    """Prepare many pings by columns."""
    numbers = [name for name, dtype in pings.schema.items() if dtype.is_float()]
    record = [
        pl.when(pl.col(name).is_finite()).then(name) if name in numbers else pl.col(name)
        for name in pings.columns
    ]
    frame = (
        pings.lazy()
        .select(*record, pl.lit(schema_version, pl.Int64).alias("schema_version"))
        # rising keys make one pass over the B-tree's pages, instead of a jump per vehicle
        .sort("vin")
        # Polars writes the same text as orjson does (held by a test), without a Python object per ping
        .with_columns(pl.struct(pl.all()).struct.json_encode().alias("text"))
        .collect()
    )
    return Prepared(
        columns,
        frame["vin"].to_list(),
        frame["text"].to_list(),
        frame["time"].fill_null(OLDEST).to_list(),
        frame["sequence"].fill_null(FIRST).to_list(),
        frame["source"].fill_null("").to_list(),
    )


def _newest(pings: Prepared) -> Prepared:
    best: dict[str, tuple[tuple[Any, ...], int]] = {}
    for row, (vin, text) in enumerate(zip(pings.vins, pings.texts, strict=True)):
        key = (pings.times[row], pings.sequences[row], *tie(orjson.loads(text), pings.columns))
        if vin not in best or best[vin][0] < key:
            best[vin] = (key, row)
    rows = [row for _, row in best.values()]
    kept = set(rows)
    return Prepared(
        pings.columns,
        [pings.vins[row] for row in rows],
        [pings.texts[row] for row in rows],
        [pings.times[row] for row in rows],
        [pings.sequences[row] for row in rows],
        [pings.sources[row] for row in rows],
        tuple(source for row, source in enumerate(pings.sources) if row not in kept),
    )


def over(text: str, old: Mapping[str, Any], own: Collection[str]) -> str:
    """Return the text of a ping's record over an older record, whose fields not in `own` are kept."""
    others = {name: value for name, value in old.items() if name not in own}
    return f"{text[:-1]},{dumps(others)[1:]}" if others else text


def with_fields(record: Mapping[str, Any], fields: Mapping[str, Any], own: Collection[str]) -> Record:
    """Return `record` with `fields` set (None removes one), in the order in which records are stored.

    `own` are the ping's fields, `EXTRA` among them.
    """
    others = {**{name: value for name, value in record.items() if name not in own}, **fields}
    return {
        **{name: value for name, value in record.items() if name in own},
        **{name: others[name] for name in sorted(others) if fields.get(name, others[name]) is not None},
    }


def text_of(record: Mapping[str, Any], own: Collection[str], limit: int) -> str:
    """Return the text of a record; FleetflowError when fields of other writers take over `limit` bytes."""
    size = len(orjson.dumps({name: value for name, value in record.items() if name not in own}))
    if size > limit:
        raise FleetflowError(
            f"the fields set on vehicle {record.get('vin')} would take {size} bytes, at most {limit} may",
            "keep long texts elsewhere, or raise [vehicles] fields_bytes",
        )
    return over(
        orjson.dumps({name: value for name, value in record.items() if name in own}).decode(), record, own
    )


def check_fields(fields: Mapping[str, Any], own: Iterable[str]) -> None:
    """Raise FleetflowError unless `fields` may be set on a vehicle: not the ping's own, plain JSON."""
    refused = sorted({*own, *BASE, *EXTRA, MARKS} & set(fields))
    if refused:
        raise FleetflowError(
            f"{', '.join(refused)} cannot be set: the pings own {'it' if len(refused) == 1 else 'them'}",
            "set a field of your own, such as status or note",
        )
    for name, value in fields.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            raise FleetflowError(
                f"{name!r:.80} is not the name of a field", f"expected text of 1 to {LONGEST_NAME} characters"
            )
        problem = not_json(name) or not_json(value)
        if problem:
            raise FleetflowError(
                f"the field {name!r} cannot be stored: {problem}",
                "expected null, true, false, a finite number, text, or lists and objects of these",
            )


def not_json(value: object, depth: int = 0) -> str:
    """Return what keeps `value` from being the same after a round through JSON; empty if nothing does."""
    if depth > DEEPEST:
        return f"it is nested more than {DEEPEST} deep"
    problem = ""
    if value is None or type(value) is bool:
        pass
    elif type(value) is str:
        if any("\ud800" <= character <= "\udfff" for character in value):
            problem = "the text is not valid Unicode"
    elif type(value) is int:
        problem = "" if value in INTEGERS else f"{value} needs more than 64 bits"
    elif type(value) is float:
        problem = "" if math.isfinite(value) else f"{value} is not a finite number"
    elif type(value) is list:
        problem = next(filter(None, (not_json(item, depth + 1) for item in value)), "")
    elif type(value) is dict:
        if not all(type(name) is str for name in value):
            problem = "an object's names must be text"
        else:
            parts = (part for pair in value.items() for part in pair)
            problem = next(filter(None, (not_json(part, depth + 1) for part in parts)), "")
    else:
        problem = f"{type(value).__name__} is not a JSON type"
    return problem


class Migrations:
    """Brings records of an older schema to the version in use, when they are read."""

    def __init__(self, schema: str = "", version: int | None = None, steps: Iterable[Migration] = ()) -> None:
        self._version = version
        self._steps = {step.from_version: step for step in steps if step.schema == schema}
        self._told: set[int] = set()

    def __call__(self, record: Record) -> Record:
        """Return `record` as the schema in use has it; every field that a step leaves out is kept.

        A record of a newer schema is returned as it is, and so is one for which there is no step.
        """
        version = record.get("schema_version")
        while self._version is not None and isinstance(version, int) and version < self._version:
            step = self._steps.get(version)
            if step is None:
                break
            try:
                record = {**record, **step.migrate(record)}
            # a step of a third party that cannot cope with one record must not hide all the others
            except Exception as error:
                if version not in self._told:
                    self._told.add(version)
                    log.warning(
                        "vehicle %s stays in schema version %s, migrating failed: %r",
                        record.get("vin"),
                        version,
                        error,
                    )
                break
            version += 1
            record["schema_version"] = version
        return record
