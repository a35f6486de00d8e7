"""Real jobs with the real commands: a source that reads a growing file, sinks that keep JSON files."""

import base64
import hashlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from fleetflow.jobs.model import Job

ROOT = Path(__file__).parents[2]

PLUGIN = """
import json, os, zlib
from pathlib import Path
from pydantic import Field
from fleetflow.config import Settings
from fleetflow.contracts.payload import Payload
from fleetflow.contracts.sink import Counts
from fleetflow.plugins import hookimpl

MARK = "LOADING"
PARTITIONS = 2

class FakeSettings(Settings):
    dir: str = Field("fake", description="folder of the input and the output")

@hookimpl
def fleetflow_settings():
    return {"fake": FakeSettings}

class Source:
    name = "fake"
    def __init__(self, folder): self.folder = folder
    def partitions(self): return [f"fake-{n}" for n in range(PARTITIONS)]
    def open(self, partition, position):
        if (self.folder / "crash").exists():
            raise RuntimeError("the fake source cannot be opened")
        return Partition(self.folder, partition, (position or {"at": 0})["at"])

class Partition:
    def __init__(self, folder, name, at):
        self.folder, self.file, self.name, self.at = folder, folder / f"{name}.csv", name, at
    def poll(self, max_bytes):
        while (self.folder / "hang").exists():
            pass
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(self.at)
            data = file.read(600)
        data = data[: data.rfind(b"\\n") + 1]
        if not data:
            return []
        start, self.at = self.at, self.at + len(data)
        return [Payload("fake", self.name, self.name, start, self.at, data, "text/csv", 1.0, 0)]
    def next_poll_s(self): return 0.05
    def caught_up(self): return not self.file.exists() or self.file.stat().st_size == self.at
    def position(self): return {"v": 1, "at": self.at}
    def close(self): pass

@hookimpl
def fleetflow_sources(configuration):
    return [Source(configuration.path(configuration.table("fake", FakeSettings).dir))]

class Sink:
    def __init__(self, name, role, folder): self.name, self.role, self.folder = name, role, folder
    def open(self, shard, state): return Shard(self, shard)

class Shard:
    def __init__(self, sink, shard):
        self.sink, self.file = sink, sink.folder / "map" / f"{shard}.json"
        self.records = json.loads(self.file.read_text()) if self.file.exists() else {}
    def write(self, batch, settled):
        counts = {}
        if self.sink.role == "rejects":
            for reject in batch.rejects:
                one = reject.place.source
                counts[one] = counts.get(one, Counts()) + Counts(quarantined=1)
            return counts
        for row in batch.pings.iter_rows(named=True):
            old = self.records.get(row["vin"])
            if old is None or row["time"] > old["time"]:
                self.records[row["vin"]] = row
            counts[row["source"]] = counts.get(row["source"], Counts()) + Counts(applied=1)
        if batch.pings.height:
            self.file.parent.mkdir(exist_ok=True)
            new = self.file.with_suffix(".new")
            new.write_text(json.dumps(self.records))
            new.replace(self.file)
        return counts
    def snapshot(self): return None
    def close(self): pass

@hookimpl
def fleetflow_sinks(configuration):
    folder = configuration.path(configuration.table("fake", FakeSettings).dir)
    return [Sink("fake", "pings", folder), Sink("fake_rejects", "rejects", folder)]
"""

ENTRY_POINTS = "[fleetflow]\nfake = fleetflow_fake\n"


def wheel(folder, name, version, files, entry_points):
    """Write a wheel as the specification of binary distributions says, without any build tool."""
    package = name.replace("-", "_")
    info = f"{package}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    record = []
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text.encode())}")
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(exist_ok=True)
    target = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return target


def ping_wheel(folder, version, old="", new=""):
    """Return the wheel of a ping schema, with `old` replaced by `new` in its module."""
    package = ROOT / f"plugins/fleetflow-ping-{version}" / "fleetflow_ping"
    files = {
        f"fleetflow_ping/{path.name}": path.read_text("utf-8").replace(old, new)
        if old
        else path.read_text("utf-8")
        for path in package.glob("*.py")
    }
    entry = "[fleetflow]\nping = fleetflow_ping.plugin\n"
    return wheel(folder, "fleetflow-ping", f"{version}.0.0", files, entry)


class World:
    """A home folder with jobs, and the command line in it."""

    def __init__(self, home):
        self.home = home
        site = home / "site"
        (site / "fleetflow_fake-1.0.0.dist-info").mkdir(parents=True)
        (site / "fleetflow_fake.py").write_text(PLUGIN)
        info = site / "fleetflow_fake-1.0.0.dist-info"
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fleetflow-fake\nVersion: 1.0.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        (home / "fake").mkdir()
        installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")} - {"ping"}
        off = sorted({"quarantine", "ledger", *installed})
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")},
            "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(off),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
            "FLEETFLOW_JOBS_BACKOFF_S": "0.1",
            "FLEETFLOW_JOBS_BACKOFF_MOST_S": "0.3",
            "FLEETFLOW_JOBS_ATTEMPTS": "3",
        }
        self.sent = 0

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", *map(str, arguments)],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr + done.stdout

    def json(self, *arguments):
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]

    def state(self, name="trucks"):
        return Job(self.home / "jobs" / name).truth()["state"]

    def status(self, name="trucks"):
        return json.loads((self.home / "jobs" / name / "status.json").read_text())

    def send(self, pings, codes=""):
        """Append pings of vehicles that were never seen: a missed ping is a missing vehicle."""
        for part in range(2):
            with (self.home / "fake" / f"fake-{part}.csv").open("a") as file:
                for number in range(self.sent, self.sent + pings):
                    if number % 2 == part:
                        file.write(f"V{number:05d},1,2,{number}{codes}\n")
        self.sent += pings

    def vehicles(self):
        found = {}
        for path in (self.home / "fake" / "map").glob("*.json"):
            found |= json.loads(path.read_text())
        return found

    def until(self, condition, seconds=60, what=""):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never came true: {what}\n{self.log()}"
            time.sleep(0.05)

    def until_all_arrived(self):
        self.until(lambda: len(self.vehicles()) == self.sent, what=f"{self.sent} vehicles")

    def log(self, name="trucks"):
        path = self.home / "jobs" / name / "logs" / "job.log"
        return path.read_text()[-3000:] if path.exists() else ""

    def processes(self):
        """Return the processes that still run for this home: supervisors and what they started."""
        found = []
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                try:
                    words = (path / "cmdline").read_bytes().decode("utf-8", "replace")
                except OSError:
                    continue
                if str(self.home) in words and ("fleetflow.jobs" in words or "bytewax.run" in words):
                    found.append(int(path.name))
        return found


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    for pid in world.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    world.until(lambda: not world.processes(), what="no process is left")
    shutil.rmtree(tmp_path / "jobs", ignore_errors=True)
