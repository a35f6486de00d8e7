"""Whatever is killed whenever: the map and the quarantine are those of a run that nobody disturbed.

FLEETFLOW_CHAOS_ROUNDS is the number of rounds, FLEETFLOW_CHAOS_SEED reruns one that failed.
"""

import contextlib
import importlib.util
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fleetflow_simulate.beta import BetaService
from fleetflow_vehicles.vehicles import Vehicles

from fleetflow.jobs.model import Job
from fleetflow.jobs.package import build
from fleetflow.savepoints import savepoint

SPEC = importlib.util.spec_from_file_location("chaos_kit", Path(__file__).with_name("fleet_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

# a short form by default; FLEETFLOW_CHAOS_ROUNDS=100 for the whole
ROUNDS = int(os.environ.get("FLEETFLOW_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("FLEETFLOW_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
FULL_BYTES = 4096
"""No file of a process that meets a full disk can grow beyond this."""


class Chaos:
    """One job over both sources, and what happens to it."""

    def __init__(self, fleet, chance, packages):
        self.fleet, self.chance, self.packages = fleet, chance, packages
        self.job = Job(fleet.home / "jobs" / "trucks")
        self.number = 0

    def send(self):
        self.fleet.alpha(4, vehicles=5, junk=self.chance.random() < 0.3)
        self.fleet.beta(4, vehicles=5, junk=self.chance.random() < 0.3)

    def victims(self):
        return self.fleet.processes()

    def strike(self, number=signal.SIGKILL):
        pids = self.victims()
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), number)

    def pause(self, most_s):
        time.sleep(self.chance.uniform(0, most_s))

    def kill(self):
        self.pause(1)
        self.strike()

    def back_off(self):
        for _ in range(3):
            self.strike()
            self.pause(0.4)

    def stop_for_a_while(self):
        pids = self.victims()
        self.strike(signal.SIGSTOP)
        self.pause(1)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def full_disk(self):
        """Let every write that makes a file larger fail, as on a full disk, until the processes crash."""
        for process in self.job.status().get("processes", []):
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(process["pid"], resource.RLIMIT_FSIZE)
                resource.prlimit(process["pid"], resource.RLIMIT_FSIZE, (FULL_BYTES, hard))
        self.send()
        self.pause(2)
        for process in self.job.status().get("processes", []):
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(process["pid"], resource.RLIMIT_FSIZE)
                resource.prlimit(process["pid"], resource.RLIMIT_FSIZE, (hard, hard))

    def service_restarts(self):
        """The service is away for a while, and comes back on its port with what it had."""
        old = self.fleet.service
        old.stop()
        self.pause(1)
        port = int(old.url.rpartition(":")[2].partition("/")[0])
        self.fleet.service = BetaService(port=port)
        self.fleet.service._elements = list(old._elements)
        self.fleet.service.start()

    def export(self):
        self.during("save-snapshot", "trucks", f"round-{self.number}")

    def upgrade(self):
        package = self.chance.choice(self.packages)
        self.during("upgrade", "trucks", package, "--accept-lossy", "--watch", "0.2")

    def rollback(self):
        self.during("rollback", "trucks", "--watch", "0.2")

    def during(self, *arguments):
        """Kill something at a random moment of a command, among the candidates the command itself."""
        command = [sys.executable, "-P", "-m", "fleetflow", *map(str, arguments)]
        with subprocess.Popen(
            command,
            env=self.fleet.environment,
            cwd=self.fleet.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.chance.uniform(0.5, 5))
            if self.chance.random() < 0.3:
                process.kill()
            else:
                self.strike()
            process.wait(120)

    def make_run(self):
        """Resume until the job runs, as an operator would, each time on another number of workers."""
        deadline = time.monotonic() + 120
        while (state := self.job.truth()["state"]) != "running":
            assert time.monotonic() < deadline, f"{state}\n{self.fleet.log()}"
            if state in {"suspended", "interrupted", "failed"}:
                workers, processes = self.chance.randint(1, 4), self.chance.randint(1, 2)
                subprocess.run(
                    [
                        *(sys.executable, "-P", "-m", "fleetflow", "resume", "trucks", "--accept-lossy"),
                        *("-w", str(workers), "-p", str(processes)),
                    ],
                    env=self.fleet.environment,
                    cwd=self.fleet.home,
                    capture_output=True,
                    check=False,
                    timeout=120,
                )
            time.sleep(0.05)


KINDS = (
    Chaos.kill,
    Chaos.back_off,
    Chaos.stop_for_a_while,
    Chaos.full_disk,
    Chaos.service_restarts,
    Chaos.export,
    Chaos.upgrade,
    Chaos.rollback,
)


class Watcher(threading.Thread):
    """Looks at the map all the time: no vehicle may ever move backwards."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.over, self.backwards, self.seen = folder, threading.Event(), [], {}
        self.start()

    def run(self):
        with Vehicles(self.folder) as vehicles:
            revision = 0
            while not self.over.wait(0.02):
                changes = vehicles.changed_since(revision)
                revision = changes.revision
                for record in changes.records:
                    order = (record["time"], record["sequence"])
                    if order < self.seen.get(record["vin"], order):
                        self.backwards.append((record["vin"], self.seen[record["vin"]], order))
                    self.seen[record["vin"]] = order

    def end(self):
        self.over.set()
        self.join(10)
        assert self.backwards == []
        assert self.seen, "the watcher saw nothing"


def texts(home):
    """Return the map's records as they are stored, but for the moment of their arrival."""
    with Vehicles(home / "data" / "vehicles") as vehicles:
        found = {}
        for vin, text in vehicles.texts():
            record = json.loads(text)
            record.pop("received_at")
            found[vin] = json.dumps(record)
        return found


@pytest.fixture
def fleet(tmp_path):
    fleet = kit.Fleet(tmp_path / "disturbed")
    fleet.environment["FLEETFLOW_JOBS_ATTEMPTS"] = "1000"
    yield fleet
    fleet.end()


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_whatever_is_killed_whenever_the_outcome_is_that_of_an_undisturbed_run(fleet, tmp_path):
    print(f"FLEETFLOW_CHAOS_SEED={SEED} FLEETFLOW_CHAOS_ROUNDS={ROUNDS}")
    chance = random.Random(SEED)
    packages = []
    for version in (1, 2):
        file = fleet.home / f"{version}.zip"
        build(file, [kit.kit.ping_wheel(fleet.home / "wheels", version)], None)
        packages.append(file)
    chaos = Chaos(fleet, chance, packages)
    chaos.send()
    fleet.run("submit", packages[0], "-n", "trucks", "-w", "1", "-p", "2")
    watcher = Watcher(fleet.home / "data" / "vehicles")
    kinds = []
    for number in range(ROUNDS):
        chaos.number = number
        # every kind has its turn before one comes again
        kinds = kinds or chance.sample(KINDS, len(KINDS))
        kind = kinds.pop()
        print(f"round {number}: {kind.__name__}")
        chaos.send()
        kind(chaos)
        chaos.send()
        chaos.make_run()
    # the last version writes every vehicle once more, so that one run can be compared with the other
    fleet.run("upgrade", "trucks", packages[1], "--accept-lossy", "--watch", "0.2", "--guard", "90")
    fleet.alpha(5, codes=",P0300", vehicles=5)
    fleet.beta(5, codes=["P0420"], vehicles=5)
    newest = fleet.time
    fleet.until(lambda: max(r["time"] for r in fleet.vehicles().values()) == newest, 90, "the newest ping")
    fleet.run("cancel", "trucks")
    watcher.end()
    assert fleet.processes() == []

    calm = tmp_path / "calm"
    (calm / "data").mkdir(parents=True)
    shutil.copytree(fleet.alpha_folder, calm / "data" / "alpha")
    disturbed, fleet.home = fleet.home, calm
    fleet.environment["FLEETFLOW_HOME"] = str(calm)
    fleet.run("run", "--once", "-w", "1")
    calm_rejects = fleet.rejects()
    fleet.home = disturbed
    fleet.environment["FLEETFLOW_HOME"] = str(disturbed)
    assert texts(disturbed) == texts(calm)
    assert fleet.rejects() == calm_rejects
    content = fleet.audit("trucks", "--verify")
    assert content["gaps"] == []
    assert content["verification"]["problems"] == []
    folder = disturbed / "recovery" / "savepoints"
    for path in folder.iterdir():
        if not path.name.startswith("."):
            assert savepoint.verify(path, "fleetflow").name == path.name
