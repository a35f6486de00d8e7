"""A job with the archive in a folder of its own, run as users run it, on sources of alpha."""

import json
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from click.testing import CliRunner
from fleetflow_archive.archive import Archive

from fleetflow import cluster
from fleetflow.cli.main import cli

COLUMNS = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
    "sequence": pl.Int64(),
    "obd_codes": pl.List(pl.String()),
}


class Job:
    def __init__(self, home):
        self.home = home
        off = set(os.environ.get("FLEETFLOW_PLUGINS_DISABLED", "").split()) - {"archive"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETFLOW_", "BYTEWAX_"))}
        self.environment = {
            **kept,
            "FLEETFLOW_HOME": str(home),
            "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(off)),
            "FLEETFLOW_BETA_URL": "",
            "FLEETFLOW_ONCE": "1",
            "FLEETFLOW_LOG_LEVEL": "WARNING",
            "FLEETFLOW_FLOW_SHARDS": "4",
        }

    def write(self, files):
        """Append lines to the files of alpha."""
        folder = self.home / "data/alpha"
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            with (folder / name).open("a") as file:
                file.writelines(lines)

    def start(self, workers=1, processes=1, **environment):
        addresses = ";".join(cluster.free_addresses(processes))
        command = [sys.executable, "-P", "-m", "bytewax.run", "fleetflow:flow", "-w", str(workers)]
        command += ["-r", "recovery", "-s", "1", "-b", "0"]
        return [
            subprocess.Popen(
                [*command, *(["-i", str(index), "-a", addresses] if processes > 1 else [])],
                cwd=self.home,
                env={**self.environment, **environment},
            )
            for index in range(processes)
        ]

    def run(self, workers=1, processes=1, **environment):
        for _ in range(3):
            running = self.start(workers, processes, **environment)
            codes = [process.wait(100) for process in running]
            if codes == [0] * processes:
                return
            # connections between Bytewax's processes break now and then on a busy machine: as a user would,
            # the job is run again, and goes on from its last snapshot
            assert processes > 1, codes
        raise AssertionError(f"three runs ended with {codes}")

    def run_and_kill(self, until, workers=1, processes=1):
        """Run until a condition holds, then kill -9 one of the processes."""
        running = self.start(
            workers,
            processes,
            FLEETFLOW_ONCE="",
            FLEETFLOW_FLOW_BATCH_BYTES="1024",
            FLEETFLOW_ALPHA_POLL_S="0.1",
        )
        try:
            deadline = time.monotonic() + 90
            while not until():
                assert time.monotonic() < deadline, "the condition never came true"
                assert all(process.poll() is None for process in running)
                time.sleep(0.02)
        finally:
            running[0].send_signal(signal.SIGKILL)
            for process in running:
                try:
                    process.wait(30)
                finally:
                    process.kill()
        assert running[0].returncode == -signal.SIGKILL

    def command(self, *arguments):
        unset = {name: None for name in os.environ if name.startswith(("FLEETFLOW_", "BYTEWAX_"))}
        done = CliRunner().invoke(cli, arguments, env={**unset, **self.environment}, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def json(self, *arguments):
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    @property
    def archive(self):
        return Archive(self.home / "data/archive", COLUMNS, 2)

    def archived(self):
        """Return all pings that readers see."""
        return self.archive.between(float("-inf"), float("inf"))


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)
