"""Upserts per second: diskcache's methods, bulk SQL on its table, and the sink as the job calls it.

    python benchmarks/upserts.py [vehicles]

Prints microseconds per vehicle (wall and CPU of this process), each for new vehicles and for known ones.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import polars as pl
from fleetflow_vehicles.layout import open_cache
from fleetflow_vehicles.records import prepare
from fleetflow_vehicles.sink import VehiclesSink
from fleetflow_vehicles.vehicles import Vehicles

from fleetflow.contracts.sink import ShardBatch

BATCH = 10_000


def pings(count: int, time_s: float) -> pl.DataFrame:
    """Return a batch of `count` vehicles at about `time_s`."""
    rnd = random.Random(7)
    return pl.DataFrame(
        {
            "vin": [f"{rnd.getrandbits(68):017X}" for _ in range(count)],
            "latitude": [rnd.uniform(-90, 90) for _ in range(count)],
            "longitude": [rnd.uniform(-180, 180) for _ in range(count)],
            "time": [time_s + rnd.random() for _ in range(count)],
            "sequence": range(count),
            "obd_codes": [["P0300"] if row % 10 == 0 else [] for row in range(count)],
        }
    ).with_columns(source=pl.lit("alpha"), received_at=pl.lit(time_s))


def measure(what: str, count: int, run: Callable[[], object]) -> None:
    """Run once and print the cost per vehicle."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{what:44} {wall * 1e6 / count:6.2f} µs wall {cpu * 1e6 / count:6.2f} µs cpu {count / wall:12,.0f}/s"
    )


def by_methods(directory: Path, frame: pl.DataFrame) -> None:
    """Write with `Cache.set`, without looking for what is there: less than the sink does."""
    with open_cache(directory) as cache:
        for part in frame.iter_slices(BATCH):
            prepared = prepare(part, 2)
            with cache.transact():
                for vin, text in zip(prepared.vins, prepared.texts, strict=True):
                    cache.set(vin, text)


def by_sink(directory: Path, frame: pl.DataFrame, shards: int = 1, threads: int = 1) -> None:
    """Write as the job does."""
    sink = VehiclesSink.at(directory, 2)
    numbers = pl.Series([crc32(vin.encode()) % shards for vin in frame["vin"]])

    def write(shard: int) -> None:
        with_shard = sink.open(str(shard), None)
        for part in frame.filter(numbers == shard).iter_slices(BATCH):
            with_shard.write(ShardBatch(part), {})
        with_shard.close()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(shards)))


def main() -> None:
    """Measure everything."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    old, new = pings(count, 1.7e9), pings(count, 1.8e9)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        measure("diskcache methods, new", count, lambda: by_methods(root / "a", old))
        measure("diskcache methods, known", count, lambda: by_methods(root / "a", new))
        measure("sink, 1 thread, new", count, lambda: by_sink(root / "b", old))
        measure("sink, 1 thread, newer pings", count, lambda: by_sink(root / "b", new))
        measure("sink, 1 thread, the same again", count, lambda: by_sink(root / "b", new))
        measure("sink, 8 shards, 2 threads, new", count, lambda: by_sink(root / "c", old, 8, 2))
        measure("sink, 8 shards, 2 threads, newer pings", count, lambda: by_sink(root / "c", new, 8, 2))
        with Vehicles(root / "c") as vehicles:
            measure("all records", count, lambda: sum(1 for _ in vehicles.records()))
            measure("changes, everything", count, lambda: vehicles.changed_since(0))


if __name__ == "__main__":
    main()
