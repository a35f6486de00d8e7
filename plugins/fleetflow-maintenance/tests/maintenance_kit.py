"""The job in a folder of its own, run as users run it, with the detector maintenance alone."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time

from fleetflow.events.reader import Events

OPTIONAL = {"archive", "areas", "crash", "mileage", "speed"}


class Job:
    """Alpha files in, events out."""

    def __init__(self, home, **settings):
        installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("FLEETFLOW_", "BYTEWAX_"))},
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(OPTIONAL & installed)),
            "FLEETFLOW_RECOVERY_SNAPSHOT_S": "1",
            "FLEETFLOW_LOG_LEVEL": "ERROR",
            **{f"FLEETFLOW_MAINTENANCE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        (home / "data/alpha").mkdir(parents=True)

    def write(self, files, part=slice(None)):
        for name, lines in files.items():
            with (self.home / "data/alpha" / name).open("a") as file:
                file.writelines(lines[part])

    def run(self, *command):
        done = subprocess.run(
            [sys.executable, "-P", "-m", *command],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def once(self, *arguments):
        self.run("fleetflow", "run", "--once", *arguments)

    def rows(self, *arguments):
        return [json.loads(line) for line in self.run("fleetflow", *arguments, "--json").splitlines()]

    def events(self):
        """All events by id, but for when and in which order they were stored, and by which run received."""
        reader = Events(self.home / "data/events")
        found = {stored.event.id: stored.as_dict() for stored in reader.list(100_000)}
        reader.close()
        for each in found.values():
            del each["row"], each["stored_at"]
            each["ping"].pop("received_at", None)
        return found

    def killed_when(self, condition, then, *arguments):
        """Start the job, wait until `condition()`, do `then()`, and kill it."""
        command = [sys.executable, "-P", "-m", "fleetflow", "run", *arguments]
        process = subprocess.Popen(command, cwd=self.home, env=self.environment)
        try:
            deadline = time.monotonic() + 60
            while not condition():
                assert time.monotonic() < deadline, "it never came true"
                assert process.poll() is None
                time.sleep(0.02)
            then()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        assert process.returncode == -signal.SIGKILL
