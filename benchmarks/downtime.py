"""Downtime of an upgrade: from the last ping of the old version applied to the first of the new.

    python benchmarks/downtime.py [--vehicles 60 --vehicles 100000] [--repeat 3]

A job with the schema ping 1 reads files that a thread appends to all the time; it is upgraded to ping 2 and
rolled back. Two figures per change: `pause`, between the last record settled before and the first after, as
the certificate has it, and `downtime`, from the wish to stop until the new version reads. The promise: below
2 s at 60 vehicles, below 5 s with 100,000 vehicles in the map.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NEEDED = {"ping", "alpha", "vehicles"}
PROMISES_MS = {60: 2000, 100_000: 5000}


class Job:
    """A job in a folder of its own, with the real commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inputs = home / "data" / "alpha"
        self.inputs.mkdir(parents=True)
        installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")},
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(installed - NEEDED)),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
            "FLEETFLOW_ALPHA_POLL_S": "0.1",
        }

    def run(self, *arguments: object) -> str:
        """Run a command of fleetflow; returns what it printed."""
        command = [sys.executable, "-P", "-m", "fleetflow", *map(str, arguments)]
        done = subprocess.run(
            command, env=self._environment, cwd=self.home, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def package(self, version: int) -> Path:
        """Pack a version of the ping schema."""
        file = self.home / f"ping-{version}.zip"
        self.run("package", "-o", file, ROOT / "plugins" / f"fleetflow-ping-{version}")
        return file

    def read(self) -> int:
        """Return how many records were read."""
        return int(json.loads(self.run("status", "--json"))["total"]["read"])


class Feeder(threading.Thread):
    """Appends a ping of one vehicle after the other, `rate` per second."""

    def __init__(self, folder: Path, vehicles: int, rate: float = 60.0) -> None:
        super().__init__(daemon=True)
        self._file, self._vehicles, self._rate = folder / "live.csv", vehicles, rate
        self._over = threading.Event()

    def run(self) -> None:
        """Append until it is ended."""
        number = 0
        with self._file.open("a", encoding="utf-8", buffering=1) as file:
            while not self._over.wait(1 / self._rate):
                file.write(f"V{number % self._vehicles:07d},40.5,-90.5,{time.time():.3f},P0300\n")
                number += 1

    def end(self) -> None:
        """Stop appending."""
        self._over.set()
        if self.is_alive():
            self.join()


def fill(folder: Path, vehicles: int) -> None:
    """Write one old ping of each vehicle."""
    with (folder / "history.csv").open("w", encoding="utf-8") as file:
        file.writelines(f"V{number:07d},40.5,-90.5,1600000000\n" for number in range(vehicles))


def measure(vehicles: int, repeat: int) -> list[dict[str, Any]]:
    """Return a row per upgrade and rollback."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        job = Job(Path(temporary))
        one, two = job.package(1), job.package(2)
        fill(job.inputs, vehicles)
        job.run("submit", one, "-n", "bench", "-w", "1")
        feeder = Feeder(job.inputs, vehicles)
        try:
            deadline = time.monotonic() + 120
            while job.read() < vehicles:
                if time.monotonic() > deadline:
                    raise SystemExit("the history was not read within 120 s")
            feeder.start()
            for _ in range(repeat):
                for words in (("upgrade", "bench", two), ("rollback", "bench")):
                    told = json.loads(job.run(*words, "--watch", "2", "--json"))
                    content = json.loads(Path(told["certificate"]).read_text("utf-8"))
                    rows.append(
                        {
                            "kind": content["kind"],
                            "vehicles": vehicles,
                            "pause_ms": content["pause_ms"],
                            "downtime_ms": content["downtime_ms"],
                            "verdict": content["verdict"],
                        }
                    )
        finally:
            feeder.end()
            job.run("cancel", "bench")
    return rows


def main() -> int:
    """Measure, print, and return 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vehicles", type=int, action="append")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    late = 0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for vehicles in arguments.vehicles or sorted(PROMISES_MS):
        rows = measure(vehicles, arguments.repeat)
        for row in rows:
            print(json.dumps(row))
        pauses = [row["pause_ms"] for row in rows if row["pause_ms"] is not None]
        middle = statistics.median(pauses)
        promise = PROMISES_MS.get(vehicles)
        print(
            f"{vehicles:,} vehicles: pause {min(pauses):,} to {max(pauses):,} ms, median {middle:,.0f} ms"
            + (f", promised {promise:,} ms" if promise else "")
        )
        late += promise is not None and middle > promise
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
