"""The detector in real jobs: killed and rescaled, added and removed, and on days without a crash."""

import csv
import importlib.metadata
import importlib.util
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

ROOT = Path(__file__).parents[3]
DAYS = ROOT.parent / "shared/data/capmetro"
OPTIONAL = {"archive", "areas", "maintenance", "mileage", "speed"}


def installed():
    return {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}


class Job:
    """The job in a folder of its own, run as users run it."""

    def __init__(self, home):
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("FLEETFLOW_", "BYTEWAX_"))},
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(OPTIONAL & installed())),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
            "FLEETFLOW_EVENTS_FILE": "told.jsonl",
        }
        (home / "data/alpha").mkdir(parents=True)

    def write(self, files, part=slice(None)):
        for name, lines in files.items():
            with (self.home / "data/alpha" / name).open("a") as file:
                file.writelines(lines[part])

    def start(self, *arguments):
        command = [sys.executable, "-P", "-m", "fleetflow", "run", *arguments]
        return subprocess.Popen(
            command, cwd=self.home, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments):
        with self.start(*arguments, "--once") as process:
            _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        return errors

    def command(self, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "fleetflow", *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def rows(self, *arguments):
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    def events(self):
        """What the store holds, but for when and in which order it came there."""
        reader = Events(self.home / "data/events")
        found = {stored.event.id: stored.as_dict() for stored in reader.list(100_000)}
        reader.close()
        for each in found.values():
            del each["row"], each["stored_at"], each["ping"]["received_at"]
        return found


VEHICLES, PINGS = 40, 60
CRASHED = range(10)


def files():
    """Vehicles 0 to 9 crash after a third: the odd ones send the code on, the even ones stop and get well."""
    made = {}
    for vehicle in range(VEHICLES):
        lines = []
        for number in range(PINGS):
            bad = vehicle in CRASHED and 20 <= number < (PINGS if vehicle % 2 else 25)
            codes = ",P0300 B0001" if bad else ",P0300" if number % 3 else ""
            lines.append(f"VIN{vehicle:03},32.9,-96.9,{1_700_000_000 + 60 * number}{codes}\n")
        # repeated and late ones
        lines[30:30] = lines[20:28]
        made[f"VIN{vehicle:03}.csv"] = lines
    return made


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nobody disturbs."""
    job = Job(tmp_path_factory.mktemp("calm"))
    job.write(files())
    job.log = job.run("-w", "1")
    return job


def test_each_crash_is_told_once_and_stands_on_the_vehicle(calm):
    found = calm.events().values()
    crashes = sorted(event["vin"] for event in found if event["kind"] == "crash")
    assert crashes == [f"VIN{vehicle:03}" for vehicle in CRASHED]
    cleared = sorted(event["vin"] for event in found if event["kind"] == "crash_cleared")
    assert cleared == [f"VIN{vehicle:03}" for vehicle in CRASHED if vehicle % 2 == 0]
    lasting = [vin for vin in crashes if vin not in cleared]
    assert [record["vin"] for record in calm.rows("crash", "list")] == lasting
    records = {record["vin"]: record for record in calm.rows("vehicles", "list")}
    for vin, record in records.items():
        assert record["time"] == 1_700_000_000 + 60 * (PINGS - 1)
        assert record.get("status") == ("CRASHED" if vin in lasting else None)
        assert record.get("note") == ("help dispatched from Dallas, TX" if vin in lasting else None)
    for vin in crashes:
        line = f"CRASH DETECTED: {vin} HELP DISPATCHED FROM: Dallas"
        (logged,) = [each for each in calm.log.splitlines() if each.endswith(line)]
        assert logged.split()[1] == "WARNING"
    told = [json.loads(line)["id"] for line in (calm.home / "told.jsonl").read_text().splitlines()]
    assert sorted(told) == sorted(calm.events())


def test_reading_all_of_it_again_tells_nothing_again(calm):
    before = calm.events()
    calm.environment["FLEETFLOW_RECOVERY_DIR"] = "another"
    try:
        assert "CRASH" not in calm.run("-w", "2")
    finally:
        del calm.environment["FLEETFLOW_RECOVERY_DIR"]
    assert calm.events() == before


def test_kill_and_rescale_in_the_middle_end_with_the_same_events(calm, tmp_path):
    job = Job(tmp_path)
    job.write(files(), slice(25))
    process = job.start("-w", "1")
    try:
        deadline = time.monotonic() + 60
        while not job.events():
            assert time.monotonic() < deadline, "no crash was found"
            assert process.poll() is None
            time.sleep(0.02)
        job.write(files(), slice(25, None))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    job.run("-w", "2")
    assert job.events() == calm.events()
    told = [json.loads(line)["id"] for line in (job.home / "told.jsonl").read_text().splitlines()]
    assert set(told) == set(job.events())
    assert job.rows("vehicles", "list")[0].keys() == calm.rows("vehicles", "list")[0].keys()


def test_clear_takes_status_and_note_away_and_leaves_the_event(calm):
    assert "CRASHED" not in calm.command("crash", "clear", "VIN000", code=1).partition("not CRASHED")[0]
    assert "there is no vehicle" in calm.command("crash", "clear", "nobody", code=1)
    assert calm.command("crash", "clear", "VIN001") == "VIN001 cleared\n"
    record = json.loads(calm.command("vehicles", "get", "VIN001", "--json"))
    assert "status" not in record
    assert "note" not in record
    assert "VIN001" not in calm.command("crash", "list")
    assert len(calm.rows("events", "list", "--vin", "VIN001", "--kind", "crash")) == 1


@pytest.mark.skipif(not DAYS.is_dir(), reason="the real bus days (../shared/data/capmetro) are not here")
def test_on_real_days_without_a_code_nothing_happens_and_nothing_is_lost(tmp_path):
    job, read, vehicles = Job(tmp_path), 0, {}
    for day in sorted(DAYS.glob("*.csv")):
        with day.open(newline="") as file:
            for row in csv.DictReader(file):
                when = datetime.fromisoformat(row["timestamp"]).timestamp()
                line = f"{row['vehicle_id']},{row['latitude']},{row['longitude']},{when}\n"
                vehicles.setdefault(f"{row['vehicle_id']}-{day.stem}.csv", []).append(line)
                read += 1
    job.write(vehicles)
    job.run("-w", "2")
    assert job.events() == {}
    (status,) = job.rows("status")
    alpha = status["sources"]["alpha"]
    assert alpha["read"] == read
    assert alpha["applied"] + alpha["superseded"] + alpha["quarantined"] == read


SPEC = importlib.util.spec_from_file_location("crash_jobs_kit", ROOT / "tests/jobs/conftest.py")
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)


@pytest.fixture
def world(tmp_path):
    world = kit.World(tmp_path)
    off = world.environment.pop("FLEETFLOW_PLUGINS_DISABLED").split()
    for name, disabled in (("fleetflow", off), ("with", [each for each in off if each != "crash"])):
        (tmp_path / f"{name}.toml").write_text(f"[plugins]\ndisabled = {json.dumps(disabled)}\n")
    yield world
    for pid in world.processes():
        os.kill(pid, signal.SIGKILL)
    world.until(lambda: not world.processes(), what="no process is left")


def test_added_to_a_running_job_by_upgrade_and_removed_again_nothing_is_lost(world):
    files = {
        str(path.relative_to(ROOT / "plugins/fleetflow-crash")): path.read_text("utf-8")
        for path in (ROOT / "plugins/fleetflow-crash/fleetflow_crash").rglob("*")
        if path.suffix in {".py", ".csv"}
    }
    entry = "[fleetflow]\ncrash = fleetflow_crash.plugin\n"
    crash = kit.wheel(world.home / "wheels", "fleetflow-crash", "0.1.0", files, entry)
    world.run("--config", "with.toml", "package", "-o", "with.zip", crash)
    events = Events(world.home / "data/events")
    world.send(20, codes=",B0001")
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert world.json("upgrade", "trucks", "with.zip")[0]["state"] == "running"
    world.send(20, codes=",B0001")
    world.until_all_arrived()
    world.until(lambda: events.count() == 20, what="20 crashes")
    world.run("rollback", "trucks")
    world.send(20, codes=",B0001")
    world.until_all_arrived()
    world.run("cancel", "trucks")
    crashed = {stored.event.vin for stored in events.list(1000)}
    assert crashed == {f"V{number:05d}" for number in range(20, 40)}
    events.close()
