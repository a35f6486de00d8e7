"""What the tests of the vehicles map share: batches, a slow reference, other processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from fleetflow_vehicles.records import prepare
from fleetflow_vehicles.store import Store

from fleetflow.contracts.detector import Event
from fleetflow.contracts.sink import Counts, ShardBatch

SCHEMA = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
    "sequence": pl.Int64(),
    "obd_codes": pl.List(pl.String()),
    "source": pl.String(),
    "received_at": pl.Float64(),
}
OLD_SCHEMA = {name: dtype for name, dtype in SCHEMA.items() if name != "obd_codes"}


def ping(vin: str, time_s: float = 1.0, sequence: int = 0, **fields: Any) -> dict[str, Any]:
    """Return one ping with everything a batch needs."""
    defaults = {
        "latitude": 52.5,
        "longitude": 13.25,
        "obd_codes": [],
        "source": "alpha",
        "received_at": 1000.0,
    }
    return {"vin": vin, "time": time_s, "sequence": sequence, **defaults, **fields}


def frame(pings: Iterable[Mapping[str, Any]], schema: Mapping[str, Any] = SCHEMA) -> pl.DataFrame:
    """Return pings as a batch's frame."""
    rows = [{name: one[name] for name in schema} for one in pings]
    return pl.DataFrame(rows, schema=dict(schema), orient="row")


def batch(*pings: Mapping[str, Any], events: Iterable[Event] = ()) -> ShardBatch:
    """Return a batch of pings and events."""
    return ShardBatch(frame(pings), events=tuple(events))


def event(
    vin: str,
    time_s: float,
    update: Mapping[str, Any],
    name: str = "",
    only_if: Mapping[str, Any] | None = None,
) -> Event:
    """Return an event that sets fields on a vehicle."""
    name = name or f"{vin}-{time_s}"
    return Event(name, vin, time_s, "crash", "high", "it crashed", update=update, only_if=only_if or {})


def put(store: Store, *pings: Mapping[str, Any], version: int | None = 2) -> Mapping[str, Counts]:
    """Write pings as a job with schema `version` does."""
    schema = OLD_SCHEMA if version == 1 else SCHEMA
    return store.upsert(prepare(frame(pings, schema), version), version)


def rank(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order pings by the words of the documentation, one by one."""
    own = {name: one[name] for name in SCHEMA if name not in ("source", "received_at")}
    text = json.dumps(own, separators=(",", ":"), ensure_ascii=False)
    return one["time"], one["sequence"], one["latitude"], one["longitude"], one["source"], text


def reference(pings: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return the greatest ping per VIN, the slow way."""
    best: dict[str, tuple[Any, ...]] = {}
    for one in pings:
        best[one["vin"]] = max(best.get(one["vin"], rank(one)), rank(one))
    return best


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 20.0) -> None:
    """Return as soon as `condition` holds."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.01)


def python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start another Python process that sees the same packages and this module."""
    path = [str(Path(__file__).parent), *(entry for entry in sys.path if entry)]
    start = f"import sys; sys.path[:0] = {path!r}\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", start + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
