"""The latest record per vehicle as one scan in Polars: `polars_scan.py DIRECTORY ANSWER THREADS`.

A limit, not a peer: it keeps nothing, and cannot go on where it stopped.
"""

import os
import sys

directory, answer, threads = sys.argv[1:]
os.environ["POLARS_MAX_THREADS"] = threads

import polars as pl  # noqa: E402 - it reads its threads from the environment

columns = {"vin": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "time": pl.Float64}
newest = pl.struct("latitude", "longitude", "time").sort_by("time").last()
pings = pl.scan_csv(f"{directory}/*.csv", has_header=False, schema=columns)
latest = pings.group_by("vin").agg(pl.all().get(pl.col("time").arg_max()))
latest.collect(engine="streaming").write_csv(answer, include_header=False)
