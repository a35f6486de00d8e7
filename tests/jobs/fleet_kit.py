"""Real jobs with the real plugins: alpha's directory, beta's service, the vehicles map, the ledger."""

import importlib.metadata
import importlib.util
import json
import os
import time
from pathlib import Path

from fleetflow_simulate.beta import BetaService
from fleetflow_vehicles.vehicles import Vehicles

from fleetflow.ledger.reader import Ledger
from fleetflow.quarantine.store import QuarantineReader

SPEC = importlib.util.spec_from_file_location("jobs_world", Path(__file__).with_name("conftest.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

NEEDED = {"ping", "alpha", "beta", "vehicles"}


class Fleet(kit.World):
    """A home folder with real plugins, and a service of pings that lives as long as the test."""

    def __init__(self, home):
        self.home = home
        self.service = BetaService().start()
        installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
        inherited = os.environ.get("PYTHONPATH", "")
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")},
            "PYTHONPATH": os.pathsep.join(filter(None, [str(kit.ROOT), inherited])),
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(installed - NEEDED)),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
            "FLEETFLOW_JOBS_BACKOFF_S": "0.1",
            "FLEETFLOW_JOBS_BACKOFF_MOST_S": "0.3",
            "FLEETFLOW_ALPHA_SHARDS": "2",
            "FLEETFLOW_ALPHA_POLL_S": "0.05",
            "FLEETFLOW_ALPHA_SCAN_SHARE": "1",
            "FLEETFLOW_BETA_URL": self.service.url,
            "FLEETFLOW_BETA_SHARDS": "1",
            "FLEETFLOW_BETA_POLL_S": "0.05",
            "FLEETFLOW_BETA_BACKOFF_MIN_S": "0.05",
            "FLEETFLOW_BETA_BACKOFF_MAX_S": "0.2",
            "FLEETFLOW_FLOW_SHARDS": "2",
            "FLEETFLOW_LOG_LEVEL": "INFO fleetflow_beta=DEBUG",
        }
        self.alpha_folder = home / "data" / "alpha"
        self.alpha_folder.mkdir(parents=True)
        self.time = 1_700_000_000

    def close(self):
        self.service.stop()

    def alpha(self, pings, codes="", vehicles=3, junk=0):
        """Append to alpha's files; every ping is newer than all before it."""
        for number in range(pings):
            self.time += 1
            with (self.alpha_folder / f"ALPHA{number % vehicles}.csv").open("a") as file:
                file.write(f"ALPHA{number % vehicles},40.5,-90.5,{self.time}{codes}\n")
        for _ in range(junk):
            with (self.alpha_folder / "ALPHA0.csv").open("a") as file:
                file.write("no ping at all\n")

    def beta(self, pings, codes=(), vehicles=3, junk=0):
        """Let the service have more pings."""
        elements = []
        for number in range(pings):
            self.time += 1
            elements.append(
                {
                    "vin": f"BETA{number % vehicles}",
                    "latitude": 41.5,
                    "longitude": -91.5,
                    "time": self.time,
                    "obd_codes": list(codes),
                }
            )
        elements += [{"vin": "BETA0", "latitude": "north", "longitude": 1, "time": 1}] * junk
        self.service.append(elements)

    def vehicles(self):
        with Vehicles(self.home / "data" / "vehicles") as vehicles:
            return {record["vin"]: record for record in vehicles.records()}

    def counts(self):
        ledger = Ledger(self.home / "data" / "ledger")
        try:
            return ledger.counts()
        finally:
            ledger.close()

    def read(self):
        return sum(each.settled for each in self.counts().values())

    def until_read(self, records, seconds=30):
        self.until(lambda: self.read() >= records, seconds, f"{records} records settled, {self.counts()}")

    def rejects(self):
        reader = QuarantineReader(self.home / "data" / "quarantine")
        try:
            return sorted(
                (each.source, each.resource, each.start, each.end, each.rule, each.raw)
                for each in reader.rejects()
            )
        finally:
            reader.close()

    def audit(self, *arguments, code=0):
        """Return the certificate of an audit, which ends with `code`."""
        text = self.run("audit", *arguments, "--json", code=code)
        return json.loads(next(line for line in text.splitlines() if line.startswith("{")))

    def certificates(self, name="trucks"):
        folder = self.home / "jobs" / name / "certificates"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]

    def end(self):
        """Leave neither a process nor the service behind."""
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 20
        while self.processes():
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.02)
        self.close()
