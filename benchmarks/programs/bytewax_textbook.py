"""The latest record per vehicle as Bytewax's own documentation would write it.

    bytewax_textbook.py DIRECTORY MAP ANSWER WORKERS

A line is an item; a stateful step keeps the newest ping per vehicle. With MAP (a folder) each ping that is
newer is written to a diskcache map, and recovery is on; with "-" the answer is kept in memory and written
once, to ANSWER.
"""

import csv
import json
import sys
import threading
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.files import DirSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from diskcache import Cache


def parse(line):
    """Return the VIN and the ping of a line."""
    vin, latitude, longitude, time = line.split(",")
    return vin, {"vin": vin, "latitude": float(latitude), "longitude": float(longitude), "time": float(time)}


def newest(state, ping):
    """Return the newest ping of a vehicle, and it once more if it is this one."""
    if state is None or ping["time"] > state["time"]:
        return ping, ping
    return state, None


class MapSink(DynamicSink):
    """Writes each ping to a diskcache map."""

    def __init__(self, folder):
        self.folder = folder

    def build(self, step_id, worker_index, worker_count):
        return MapPartition(Cache(self.folder, eviction_policy="none"))


class MapPartition(StatelessSinkPartition):
    """The map, as one worker has it open."""

    def __init__(self, cache):
        self.cache = cache

    def write_batch(self, items):
        for vin, ping in items:
            self.cache.set(vin, json.dumps(ping))

    def close(self):
        self.cache.close()


class MemorySink(DynamicSink):
    """All workers are threads of one process; each vehicle belongs to one of them."""

    def __init__(self):
        self.latest = {}
        self.lock = threading.Lock()

    def build(self, step_id, worker_index, worker_count):
        return MemoryPartition(self.latest)


class MemoryPartition(StatelessSinkPartition):
    """The dict that all workers share."""

    def __init__(self, latest):
        self.latest = latest

    def write_batch(self, items):
        self.latest.update(items)


def main():
    """Run the flow to its end."""
    directory, folder, answer, workers = sys.argv[1:]
    memory = MemorySink()
    durable = folder != "-"
    flow = Dataflow("textbook")
    lines = op.input("read", flow, DirSource(Path(directory), "*.csv", batch_size=1000))
    pings = op.map("parse", lines, parse)
    updates = op.stateful_map("newest", pings, newest)
    newer = op.filter("newer", updates, lambda item: item[1] is not None)
    op.output("write", newer, MapSink(folder) if durable else memory)
    recovery = None
    if durable:
        store = Path(folder).parent / "recovery"
        store.mkdir()
        init_db_dir(store, 1)
        recovery = RecoveryConfig(str(store), timedelta(0))
    cli_main(
        flow,
        workers_per_process=int(workers),
        epoch_interval=timedelta(seconds=10),
        recovery_config=recovery,
    )
    if not durable:
        with Path(answer).open("w", newline="") as file:
            csv.writer(file).writerows(
                (p["vin"], p["latitude"], p["longitude"], p["time"]) for p in memory.latest.values()
            )


main()
