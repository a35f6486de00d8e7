"""Two days of real bus positions, and a job that reads them with the real command."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from fleetflow.events.reader import Events

DAYS = Path(__file__).parents[4] / "shared/data/capmetro"


@pytest.fixture(scope="session")
def bus_days():
    """Per day the rows (vehicle, seconds, latitude, longitude), in file order."""
    if not DAYS.is_dir():
        pytest.skip("the real bus days (../shared/data/capmetro) are not here")
    days = {}
    for path in sorted(DAYS.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                when = datetime.fromisoformat(row["timestamp"]).timestamp()
                numbers = [row[name] for name in ("latitude", "longitude")]
                days.setdefault(path.stem, []).append((row["vehicle_id"], when, *numbers))
    return days


class Job:
    """The job in a folder of its own, run as users run it."""

    def __init__(self, home):
        self.home = home
        off = set(os.environ["FLEETFLOW_PLUGINS_DISABLED"].split()) - {"areas"}
        self.environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("FLEETFLOW_", "BYTEWAX_"))
            },
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_LOG_LEVEL": "ERROR",
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(off)),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
        }

    def write(self, files):
        folder = self.home / "data/alpha"
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            with (folder / name).open("a") as file:
                file.writelines(lines)

    def start(self, *arguments):
        command = [sys.executable, "-P", "-m", "fleetflow", *arguments]
        return subprocess.Popen(command, cwd=self.home, env=self.environment)

    def run(self, *arguments):
        process = self.start("run", "--once", *arguments)
        assert process.wait(120) == 0

    def rows(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", *arguments, "--json"],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def events(self):
        return self.rows("events", "list", "--limit", "100000")

    def told(self):
        """Whether there is an event already; quicker than a command."""
        events = Events(self.home / "data/events")
        try:
            return bool(events.list(1))
        finally:
            events.close()

    def run_kill_and_rescale(self, files):
        """Write one half, start with one worker, write the other half, kill -9, end with two processes."""
        self.write({name: lines[: len(lines) // 2] for name, lines in files.items()})
        process = self.start("--set", "flow.batch_bytes=4096", "run", "-w", "1")
        try:
            deadline = time.monotonic() + 60
            while not self.told():
                assert time.monotonic() < deadline, "the job told nothing within 60 s"
                time.sleep(0.02)
            self.write({name: lines[len(lines) // 2 :] for name, lines in files.items()})
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        self.run("-w", "2", "-p", "2")


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)
