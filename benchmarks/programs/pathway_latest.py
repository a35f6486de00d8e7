"""The latest record per vehicle in Pathway.

    pathway_latest.py DIRECTORY ANSWER WORKERS

The files have headers: Pathway's reader cannot do without. It reads in the mode "static", in which it
ends by itself, without persistence; the updates are kept in a dict and written once. All of that is in
its favour.
"""

import csv
import os
import sys
from pathlib import Path

directory, answer, workers = sys.argv[1:]
os.environ["PATHWAY_THREADS"] = workers
os.environ["PATHWAY_MONITORING_SERVER"] = ""

import pathway as pw  # noqa: E402 - it reads its threads from the environment


class Ping(pw.Schema):
    """A line of the files."""

    vin: str
    latitude: float
    longitude: float
    time: float


pings = pw.io.csv.read(directory, schema=Ping, mode="static")
newest = pings.groupby(pings.vin).reduce(pings.vin, time=pw.reducers.max(pings.time))
# measured to be the fastest right way: argmax, and the maximum of tuples, take up to twice as long
latest = pings.join(newest, pings.vin == newest.vin, pings.time == newest.time).select(
    pings.vin, pings.latitude, pings.longitude, pings.time
)
found = {}


def on_change(key, row, time, is_addition):
    """Keep what a vehicle's record has become."""
    if is_addition:
        found[row["vin"]] = (row["vin"], row["latitude"], row["longitude"], row["time"])


pw.io.subscribe(latest, on_change)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
with Path(answer).open("w", newline="") as file:
    csv.writer(file).writerows(found.values())
