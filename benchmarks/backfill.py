"""Backfill: 2,000,000 pings of 1,000 vehicles in 1,000 files into the durable map, whole processes.

    python benchmarks/backfill.py [--pings 2000000] [--runs 3]

fleetflow runs as `fleetflow run --once` with recovery, quarantine and ledger on; DuckDB scans the same
files as the limit. Both answers are compared before a time counts; ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

SCAN = """
select vin, max(time) from read_csv('{files}', header = false, columns = {{
    'vin': 'varchar', 'latitude': 'double', 'longitude': 'double', 'time': 'double', 'obd_codes': 'varchar'
}}, null_padding = true, auto_detect = false) group by vin
"""


def timed(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    return time.perf_counter() - began


def fleetflow(folder: Path, home: Path) -> tuple[float, dict[str, float]]:
    environment = {
        **os.environ,
        "FLEETFLOW_HOME": str(home),
        "FLEETFLOW_ALPHA_DIR": str(folder),
        "FLEETFLOW_BETA_URL": "",
        "FLEETFLOW_LOG_LEVEL": "WARNING",
    }
    seconds = timed([sys.executable, "-P", "-m", "fleetflow", "run", "--once"], environment)
    listing = subprocess.run(
        [sys.executable, "-P", "-m", "fleetflow", "vehicles", "list", "--json", "--limit", "10000000"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    records = map(json.loads, listing.stdout.splitlines())
    return seconds, {record["vin"]: record["time"] for record in records}


def scan(folder: Path) -> tuple[float, dict[str, float]]:
    query = SCAN.format(files=folder / "*.csv")
    seconds = timed(
        [sys.executable, "-c", f"import duckdb; duckdb.sql({query!r}).fetchall()"], dict(os.environ)
    )
    return seconds, dict(duckdb.sql(query).fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pings", type=int, default=2_000_000)
    parser.add_argument("--vehicles", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {"fleetflow": [], "DuckDB scan": []}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "alpha"
        make = ["simulate", "alpha", "--dir", str(folder), "--vehicles", str(arguments.vehicles)]
        make += ["--pings", str(arguments.pings), "--seed", "1", "--start", "2026-01-01", "--backfill"]
        subprocess.run([sys.executable, "-P", "-m", "fleetflow", *make], check=True)
        for run in range(arguments.runs):
            ours, records = fleetflow(folder, Path(work) / f"home-{run}")
            theirs, expected = scan(folder)
            if records != expected:
                raise SystemExit(f"the answers differ: {len(records)} and {len(expected)} vehicles")
            seconds["fleetflow"].append(ours)
            seconds["DuckDB scan"].append(theirs)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{'':12} {'median s':>9} {'min':>7} {'max':>7} {'M pings/s':>10} {'ratio':>6}")
    for name, times in seconds.items():
        rate = arguments.pings / medians[name] / 1e6
        ratio = medians["fleetflow"] / medians[name]
        print(f"{name:12} {medians[name]:9.2f} {min(times):7.2f} {max(times):7.2f} {rate:10.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
