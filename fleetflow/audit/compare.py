"""The map, the quarantine and the ledger against what was derived from the raw inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from fleetflow.audit.continuity import SCATTERED, uncovered
from fleetflow.audit.derive import Derived, Place
from fleetflow.audit.moment import Key, Moment
from fleetflow.contracts.vehicles import Record
from fleetflow.ledger.reader import Range

BASE = ("latitude", "longitude", "time", "sequence")
CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as the raw inputs say: `kind` is map, quarantine or ledger."""

    kind: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """An amount that cannot be derived again, and why."""

    source: str
    partition: str
    resource: str
    amount: int
    unit: str
    message: str


@dataclass(frozen=True, slots=True)
class MapOutcome:
    """Vehicles of the map that agree, are newer than the inputs that were read, or lack a field.

    `suspects` are VINs that are missing, older or different.
    """

    same: int
    newer: tuple[str, ...]
    fillable: int
    suspects: Mapping[str, str]
    extra: tuple[str, ...]


def stored(records: Iterable[Record], columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the map's records as a frame with the schema's columns; what does not fit is null."""
    iterator: Iterator[Record] = iter(records)
    frames = [pl.DataFrame(schema=dict(columns))]
    while chunk := list(islice(iterator, CHUNK)):
        data = {name: [record.get(name) for record in chunk] for name in columns}
        frames.append(pl.DataFrame(data, schema=dict(columns), strict=False))
    return pl.concat(frames)


def vehicles(derived: pl.DataFrame | None, found: pl.DataFrame) -> MapOutcome:
    """Compare the newest pings of the inputs with the map's records."""
    if derived is None:
        return MapOutcome(0, (), 0, {}, tuple(found["vin"].to_list()))
    both = derived.join(found, on="vin", how="left", suffix="_map", coalesce=True).with_columns(
        pl.col("vin").is_in(found["vin"].implode()).alias("there")
    )
    newer = (pl.col("time_map") > pl.col("time")) | (
        (pl.col("time_map") == pl.col("time")) & (pl.col("sequence_map") > pl.col("sequence"))
    )
    equal = (pl.col("time_map") == pl.col("time")) & (pl.col("sequence_map") == pl.col("sequence"))
    others = [name for name in found.columns if name not in {"vin", *BASE}]
    place = pl.all_horizontal(
        pl.col(f"{name}_map").eq_missing(pl.col(name)) for name in ("latitude", "longitude")
    )
    same = (
        pl.all_horizontal(_text(f"{name}_map", found).eq_missing(_text(name, derived)) for name in others)
        if others
        else pl.lit(True)
    )
    empty = (
        pl.all_horizontal(
            (_text(f"{name}_map", found) == "") | _text(f"{name}_map", found).eq_missing(_text(name, derived))
            for name in others
        )
        if others
        else pl.lit(True)
    )
    graded = both.select(
        "vin",
        "time",
        "sequence",
        "time_map",
        "sequence_map",
        pl.when(~pl.col("there"))
        .then(pl.lit("missing"))
        .when(newer)
        .then(pl.lit("newer"))
        .when(~equal.fill_null(False))
        .then(pl.lit("older"))
        .when(~place)
        .then(pl.lit("different"))
        .when(same)
        .then(pl.lit("same"))
        .when(empty)
        .then(pl.lit("fillable"))
        .otherwise(pl.lit("different"))
        .alias("grade"),
    )
    counts = dict(graded["grade"].value_counts().rows())
    suspects = graded.filter(pl.col("grade").is_in(["missing", "older", "different"]))
    extra = found.join(derived, on="vin", how="anti")["vin"].to_list()
    return MapOutcome(
        counts.get("same", 0),
        tuple(graded.filter(pl.col("grade") == "newer")["vin"].to_list()),
        counts.get("fillable", 0),
        {row["vin"]: _in_words(row) for row in suspects.iter_rows(named=True)},
        tuple(extra),
    )


def _text(name: str, frame: pl.DataFrame) -> pl.Expr:
    dtype = frame.schema[name.removesuffix("_map")]
    column = pl.col(name).list.join(" ") if isinstance(dtype, pl.List) else pl.col(name).cast(pl.String)
    return column.fill_null("")


def _in_words(row: Mapping[str, Any]) -> str:
    newest = f"time {row['time']}, sequence {row['sequence']}"
    if row["grade"] == "missing":
        return f"vehicle {row['vin']} is not in the map, its newest ping has {newest}"
    has = f"time {row['time_map']}, sequence {row['sequence_map']}"
    word = "is older than" if row["grade"] == "older" else "differs from"
    return f"vehicle {row['vin']}: the record ({has}) {word} its newest ping ({newest})"


def quarantine(
    derived: Mapping[Place, bytes], stored: Mapping[Place, bytes]
) -> tuple[list[Place], list[Place]]:
    """Return the rejects that the quarantine lacks, and those that it has and the inputs do not give."""
    lacking = [place for place in derived if place not in stored]
    more = [place for place in stored if place not in derived]
    if not lacking or not more:
        return lacking, more
    # a record without a place of its own stands where its page began, which another reading may cut otherwise
    spare = Counter((place[0], place[2], stored[place]) for place in more)
    matched: Counter[tuple[str, str, bytes]] = Counter()
    still = []
    for place in lacking:
        key = (place[0], place[2], derived[place])
        if spare[key] > matched[key]:
            matched[key] += 1
        else:
            still.append(place)
    rest = []
    for place in more:
        key = (place[0], place[2], stored[place])
        if matched[key]:
            matched[key] -= 1
        else:
            rest.append(place)
    return still, rest


def ledger(
    derived: Derived, bounds: Mapping[Key, int | None], then: Moment, now: Moment
) -> tuple[list[Problem], list[Unverifiable]]:
    """Compare the ledger's ranges with what was read again.

    `bounds` has how far each resource must have been read; `then` is the ledger as it was when the reading
    began, `now` as it is after it.
    """
    problems: list[Problem] = []
    cannot: list[Unverifiable] = []
    for key, read in derived.reads.items():
        ranges = now.ranges.get(key, ())
        bound = bounds.get(key, 0)
        end = read.end if bound is None else min(bound, read.end)
        for low, high in uncovered(read.start, end, [(each.start, each.end) for each in ranges]):
            problems.append(Problem("ledger", "/".join(key), f"the ledger lacks [{low}, {high}) of {key[2]}"))
        problems += _counts(key, read.start, read.end, read.records, then.ranges.get(key, ()))
        old = then.ranges.get(key, ())
        if old and read.digest is not None and old[-1].end <= read.end and read.digest != old[-1].digest:
            problems.append(
                Problem(
                    "ledger",
                    "/".join(key),
                    f"{key[2]} is not what was read: its digest at {old[-1].end} differs",
                )
            )
    for key, ranges in then.ranges.items():
        again = derived.reads.get(key)
        covered = [] if again is None else [(again.start, again.end)]
        gone = [piece for each in ranges for piece in uncovered(each.start, each.end, covered)]
        if gone:
            amount = sum(high - low for low, high in gone)
            where = " ".join(f"[{low}, {high})" for low, high in gone[:3])
            cannot.append(
                Unverifiable(
                    *key, amount, "positions", f"{key[0]} {key[2]} {where}: no longer there to be read again"
                )
            )
    return problems, cannot


def _counts(key: Key, start: int, end: int, records: int, ranges: tuple[Range, ...]) -> Iterator[Problem]:
    if not ranges or start > ranges[0].start or end < ranges[-1].end:
        return
    said = sum(each.records for each in ranges)
    gap = any(ranges[number].end < ranges[number + 1].start for number in range(len(ranges) - 1))
    if said != records and not (gap and records > said):
        yield Problem(
            "ledger", "/".join(key), f"the ledger has {said} records of {key[2]}, the input {records}"
        )


def account(now: Moment, rejects: Mapping[str, int] | None) -> list[Problem]:
    """Compare a ledger with itself and with the quarantine, which holds `rejects` per source (None: unknown).

    The ranges hold as many records as were read, all of them are settled, and no reject is missing. More
    rejects than the account has are no problem: a version that was undone has left them.
    """
    problems = []
    for source, counts in now.counts.items():
        if source in SCATTERED:
            continue
        held = now.records(source)
        if held != counts.read:
            message = f"the ledger's ranges of {source} hold {held} records, its account {counts.read}"
            problems.append(Problem("ledger", source, message))
        if counts.read != counts.settled:
            message = f"{counts.read - counts.settled} records of {source} are unaccounted for"
            problems.append(Problem("ledger", source, message))
        if rejects is not None and rejects.get(source, 0) < counts.quarantined:
            message = (
                f"the quarantine has {rejects.get(source, 0)} rejects of {source}, "
                f"the account {counts.quarantined}"
            )
            problems.append(Problem("quarantine", source, message))
    return problems
