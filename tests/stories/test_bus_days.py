"""Two days of real bus positions through the real job, compared with an independent computation.

The data has real faults: rows out of time order, repeats, zero and empty coordinates. Every run, however
it is spread over workers and processes and however often it is killed, must end with the same vehicles,
the same quarantine and a balanced account.
"""

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from fleetflow import cluster

DAYS = Path(__file__).parents[3] / "shared/data/capmetro"
pytestmark = pytest.mark.skipif(
    not DAYS.is_dir(), reason="the real bus days (../shared/data/capmetro) are not here"
)


@pytest.fixture(scope="module")
def bus_lines():
    """One text per vehicle and day: what a vendor of alpha files would have written, in file order."""
    files = {}
    for day in sorted(DAYS.glob("*.csv")):
        with day.open(newline="") as file:
            for row in csv.DictReader(file):
                when = datetime.fromisoformat(row["timestamp"]).timestamp()
                line = f"{row['vehicle_id']},{row['latitude']},{row['longitude']},{when}\n"
                files.setdefault(f"{row['vehicle_id']}-{day.stem}.csv", []).append(line)
    return files


@pytest.fixture(scope="module")
def expected(bus_lines):
    """The newest valid ping per vehicle and the places of all others, one line after the other."""
    newest, rejected, read = {}, set(), 0
    for name, lines in bus_lines.items():
        offset = 0
        for line in lines:
            read += 1
            vin, latitude, longitude, when = line.rstrip("\n").split(",")
            try:
                ping = (float(when), offset, float(latitude), float(longitude))
            except ValueError:
                ping = (math.nan, 0, math.nan, math.nan)
            valid = vin and abs(ping[2]) <= 90 and abs(ping[3]) <= 180 and ping[2:] != (0.0, 0.0)
            if not valid:
                rejected.add((name, offset))
            elif vin not in newest or ping > newest[vin]:
                newest[vin] = ping
            offset += len(line)
    assert rejected, "the data is known to have faults"
    return newest, rejected, read


class Job:
    """The job in a folder of its own, run as users run it."""

    def __init__(self, home):
        self.home = home
        self.environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("FLEETFLOW_", "BYTEWAX_"))
            },
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_ONCE": "1",
            "FLEETFLOW_LOG_LEVEL": "WARNING",
        }

    def write(self, files, part=slice(None)):
        folder = self.home / "data/alpha"
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            with (folder / name).open("a") as file:
                file.writelines(lines[part])

    def start(self, *arguments, **environment):
        command = [sys.executable, "-P", "-m", "bytewax.run", "fleetflow:flow", *arguments]
        return subprocess.Popen(command, cwd=self.home, env={**self.environment, **environment})

    def run(self, workers=1, processes=1, recovery=True):
        store = ["-r", "recovery", "-s", "1", "-b", "0"] if recovery else []
        for _ in range(3):
            addresses = ";".join(cluster.free_addresses(processes))
            running = [
                self.start(
                    "-w", str(workers), *store, *(["-i", str(i), "-a", addresses] if processes > 1 else [])
                )
                for i in range(processes)
            ]
            codes = [process.wait(120) for process in running]
            if codes == [0] * processes:
                return
            # connections between Bytewax's processes break now and then on a busy machine: as a user would,
            # the job is run again, and goes on from its last snapshot
            assert processes > 1, codes
            assert recovery, codes
        raise AssertionError(f"three runs ended with {codes}")

    def command(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self, expected):
        newest, rejected, read = expected
        records = {r["vin"]: r for r in self.command("vehicles", "list", "--json")}
        found = {vin: (r["time"], r["sequence"], r["latitude"], r["longitude"]) for vin, r in records.items()}
        assert found == newest
        rows = self.command("quarantine", "list", "--limit", "1000000", "--json")
        assert {(row["resource"], row["start"]) for row in rows} == rejected
        assert len(rows) == len(rejected)
        (status,) = self.command("status", "--json")
        alpha = status["sources"]["alpha"]
        assert alpha["read"] == read
        assert alpha["read"] == alpha["applied"] + alpha["superseded"] + alpha["quarantined"]
        assert alpha["quarantined"] == len(rejected)
        assert status["vehicles"] == len(newest)


@pytest.mark.parametrize(("workers", "processes"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_workers_and_processes_do_not_change_the_result(tmp_path, bus_lines, expected, workers, processes):
    job = Job(tmp_path)
    job.write(bus_lines)
    job.run(workers, processes)
    job.check(expected)


def test_no_recovery_store_is_needed(tmp_path, bus_lines, expected):
    job = Job(tmp_path)
    job.write(bus_lines)
    job.run(2, recovery=False)
    job.check(expected)


@pytest.mark.parametrize("processes", [1, 2])
def test_kill_in_the_middle_and_resume_changes_nothing(tmp_path, bus_lines, expected, processes):
    job = Job(tmp_path)
    half = {name: lines[: len(lines) // 2] for name, lines in bus_lines.items()}
    job.write(half)
    addresses = ";".join(cluster.free_addresses(processes))
    running = [
        job.start(
            *("-w", "1", "-r", "recovery", "-s", "1", "-b", "0"),
            *(["-i", str(i), "-a", addresses] if processes > 1 else []),
            FLEETFLOW_ONCE="",
            FLEETFLOW_FLOW_BATCH_BYTES="2048",
        )
        for i in range(processes)
    ]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sources = job.command("status", "--json")[0]["sources"]
        if sources.get("alpha", {}).get("read", 0) > 0:
            break
    else:
        pytest.fail("the job read nothing within 60 s")
    job.write({name: lines[len(lines) // 2 :] for name, lines in bus_lines.items()})
    running[0].send_signal(signal.SIGKILL)
    for process in running:
        process.wait(30)
    assert running[0].returncode == -signal.SIGKILL
    job.run(2, processes)
    job.check(expected)
