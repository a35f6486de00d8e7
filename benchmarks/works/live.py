"""Work d: pings come in at a steady rate; how long until each can be read from the vehicles map?"""

from __future__ import annotations

import time
from typing import NamedTuple

import msgspec
import polars as pl

from benchmarks.context import Context
from benchmarks.feeding import Feed, running
from benchmarks.measuring import Failed, Sampler, Tree
from benchmarks.results import Aim, Outcome

RATE = 10_000.0
VEHICLES = 1_000
POLL_S = 0.002
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "most": 1.0}


class Load(NamedTuple):
    """What the job took meanwhile."""

    cpu_s: float
    peak_bytes: int


class _Seen(msgspec.Struct):
    vin: str
    time: float


def measure(context: Context) -> Outcome:
    """Measure work d."""
    seconds = 60.0 if context.long else 20.0
    feed = Feed(RATE / 2, RATE / 2, VEHICLES, seconds)
    description = (
        f"{RATE:,.0f} pings/s for {seconds:.0f} s, half into {VEHICLES:,} files, half into a web service "
        "with as many vehicles; from the ping being there to its record, or a newer one, being readable; default settings"  # noqa: E501
    )
    columns = ["source", "pings", *QUANTILES, "CPU (cores)", "peak (MiB)"]
    context.say(f"live, {seconds:.0f} s")
    try:
        latencies, lost, load = _run(context, feed)
    except Failed as failed:
        return Outcome("d", "Live", description, columns=columns, rows=[["failed", str(failed)]])
    rows, aims = [], []
    for source, prefix in (("alpha (files)", "5FA"), ("beta (web service)", "5FB")):
        mine = latencies.filter(pl.col("vin").str.starts_with(prefix))["latency"]
        found = {name: float(mine.quantile(at, "higher") or 0.0) for name, at in QUANTILES.items()}
        cost = f"{load.cpu_s / seconds:.2f}", f"{load.peak_bytes / 2**20:.0f}"
        rows.append(
            [source, f"{len(mine):,}", *(f"{value * 1000:.0f} ms" for value in found.values()), *cost]
        )
        if prefix == "5FA":
            aims += [
                Aim("p99 under 300 ms, from the line being in the file", rows[-1][3], found["p99"] < 0.3),
                Aim("p99.9 under 1 s, from the line being in the file", rows[-1][4], found["p99.9"] < 1.0),
            ]
    aims.append(Aim("nothing lost", f"{lost:,} pings never seen", lost == 0))
    return Outcome("d", "Live", description, columns=columns, rows=rows, aims=aims)


def _run(context: Context, feed: Feed) -> tuple[pl.DataFrame, int, Load]:
    from fleetflow_vehicles.vehicles import Vehicles  # noqa: PLC0415 - needed here alone

    with context.folder() as folder, running(context, folder, feed) as live:
        texts: list[tuple[float, list[tuple[str, str]]]] = []
        with Vehicles(live.vehicles) as vehicles:
            revision, before = vehicles.texts_since(0)
            live.go()
            tree = Tree(live.pid)
            tree.sample()
            start_cpu_s = tree.cpu_s
            with Sampler(tree, 0.2):
                # readers keep up with what is new, as the dashboard does; a slow last batch gets its time
                deadline = time.monotonic() + feed.seconds + 30
                quiet_since = None
                while time.monotonic() < deadline:
                    revision, changed = vehicles.texts_since(revision)
                    if changed:
                        texts.append((time.time(), changed))
                        quiet_since = None
                    elif live.journal.is_file():
                        quiet_since = quiet_since or time.monotonic()
                        if time.monotonic() - quiet_since > 5:
                            break
                    time.sleep(POLL_S)
        load = Load(tree.cpu_s - start_cpu_s, tree.peak_bytes)
        sent = pl.read_csv(live.journal, has_header=False, new_columns=["vin", "time", "sent"])
    latencies = latency(sent, _parse(texts, before))
    return latencies.filter(pl.col("latency").is_not_null()), latencies["latency"].null_count(), load


def _parse(texts: list[tuple[float, list[tuple[str, str]]]], before: list[tuple[str, str]]) -> pl.DataFrame:
    decode = msgspec.json.Decoder(_Seen).decode
    rows = [
        (record.vin, record.time, at)
        for at, changed in [(0.0, before), *texts]
        for record in (decode(text) for _, text in changed)
    ]
    return pl.DataFrame(rows, schema={"vin": pl.String, "time": pl.Float64, "seen": pl.Float64}, orient="row")


def latency(sent: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Return per ping how long it took until its record or a newer one was seen; null when never.

    `sent` has vin, time, sent; `seen` has vin, time, seen. What was seen at 0.0 was seen before the feed
    began, and is left out.
    """
    # times are whole milliseconds in both
    by_time = [
        frame.with_columns(moment=(pl.col("time") * 1000).round().cast(pl.Int64)).sort("moment")
        for frame in (sent, seen)
    ]
    found = by_time[0].join_asof(
        by_time[1]
        .select("vin", "moment", "seen")
        .unique(["vin", "moment"], keep="first", maintain_order=True),
        on="moment",
        by="vin",
        strategy="forward",
        check_sortedness=False,
    )
    # at 0.0: the first pings, which were there before
    return found.filter(pl.col("seen").is_null() | (pl.col("seen") > 0)).select(
        "vin", latency=pl.col("seen") - pl.col("sent")
    )
