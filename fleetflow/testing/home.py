"""A job in a folder of its own, run by the real command: for stories of kills, resumes and rescales.

from fleetflow.testing.home import Home

home = Home(tmp_path, on=["speed"], speed={"limit_kmh": 80})
home.write({"A.csv": lines[:50]})
home.killed_when(home.events, lambda: home.write({"A.csv": lines[50:]}), "-w", "1")
home.once("-w", "2")
assert home.events() == undisturbed.events()
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fleetflow.events.reader import Events

PATIENCE_S = 100.0
"""How long a command may take, and a condition to come true, on the slowest machine."""
EVERY_S = 0.02
LIST_LIMIT = 100_000
FATES = ("read", "applied", "superseded", "quarantined")


def switched_off(on: Iterable[str] = ()) -> str:
    """Return FLEETFLOW_PLUGINS_DISABLED as it is now, without the plugins that are to be `on`."""
    off = os.environ.get("FLEETFLOW_PLUGINS_DISABLED", "").split()
    return " ".join(sorted(set(off) - set(on)))


class Home:
    """Files of alpha in, events and everything else out, as a user of the command line has them.

    Of the surrounding environment no setting is taken over but which plugins are off, and `on` turns some
    of these on. `tables` are settings by table, such as `speed={"limit_kmh": 80}`; `environment` is what
    commands get, and may be changed between them.
    """

    def __init__(self, folder: Path, on: Iterable[str] = (), **tables: Mapping[str, Any]) -> None:
        self.folder = folder
        self.alpha = folder / "data/alpha"
        self.alpha.mkdir(parents=True, exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETFLOW_", "BYTEWAX_"))}
        settings: dict[str, Mapping[str, Any]] = {
            "recovery": {"snapshot_s": 1},
            "log": {"level": "ERROR"},
            "beta": {"url": ""},
        }
        self.environment = {
            **inherited,
            "FLEETFLOW_HOME": str(folder),
            "FLEETFLOW_PLUGINS_DISABLED": switched_off(on),
            **{
                f"FLEETFLOW_{table}_{key}".upper(): str(value)
                for table, keys in {**settings, **tables}.items()
                for key, value in keys.items()
            },
        }

    def write(self, files: Mapping[str, Sequence[str]], part: slice = slice(None)) -> None:
        """Append `part` of the lines of each file to the file of that name."""
        for name, lines in files.items():
            with (self.alpha / name).open("a") as file:
                file.writelines(lines[part])

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `fleetflow ...` and return its process."""
        command = [sys.executable, "-P", "-m", "fleetflow", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment)

    def run(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `python -m ...` to its end, which must be with `code`."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def command(self, *arguments: str) -> str:
        """Return what `fleetflow ...` prints."""
        return self.run("fleetflow", *arguments).stdout

    def refused(self, *arguments: str) -> str:
        """Return the error of `fleetflow ...`, which ends with exit code 1."""
        return self.run("fleetflow", *arguments, code=1).stderr

    def rows(self, *arguments: str) -> list[Any]:
        """Return what `fleetflow ... --json` prints, an object per line."""
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    def once(self, *arguments: str) -> str:
        """Run the job until all input is read; returns its log."""
        return self.run("fleetflow", "run", "--once", *arguments).stderr

    def told(self) -> bool:
        """Return whether there is an event: quicker than a command."""
        return bool(self._events(1))

    def events(self) -> dict[str, dict[str, Any]]:
        """Return all events by id, without what differs from run to run: when and where they were stored."""
        found = self._events(LIST_LIMIT)
        for each in found.values():
            del each["row"], each["stored_at"]
            each["ping"].pop("received_at", None)
        return found

    def _events(self, limit: int) -> dict[str, dict[str, Any]]:
        reader = Events(self.folder / "data/events")
        try:
            return {stored.event.id: stored.as_dict() for stored in reader.list(limit)}
        finally:
            reader.close()

    def killed_when(self, condition: Callable[[], Any], then: Callable[[], Any], *arguments: str) -> None:
        """Start the job, wait until `condition()`, do `then()`, and kill it whatever it does."""
        process = self.start("run", *arguments)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not condition():
                assert time.monotonic() < deadline, "it never came true"
                assert process.poll() is None, "the job ended by itself"
                time.sleep(EVERY_S)
            then()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        assert process.returncode == -signal.SIGKILL

    def killed_and_rescaled(self, files: Mapping[str, Sequence[str]]) -> None:
        """Kill one worker that has told of an event with half of each file there; two processes end it."""
        self.write({name: lines[: len(lines) // 2] for name, lines in files.items()})
        rest = {name: lines[len(lines) // 2 :] for name, lines in files.items()}
        whole = dict(self.environment)
        # in small parts, so that the kill comes in the middle
        self.environment["FLEETFLOW_FLOW_BATCH_BYTES"] = "4096"
        self.killed_when(self.told, lambda: self.write(rest), "-w", "1")
        self.environment = whole
        self.once("-w", "1", "-p", "2")

    def account(self, source: str = "alpha") -> dict[str, int]:
        """Return how many records of a source were read, applied, superseded, quarantined: which adds up."""
        (status,) = self.rows("status")
        counts = {fate: int(status["sources"][source][fate]) for fate in FATES}
        assert counts["read"] == counts["applied"] + counts["superseded"] + counts["quarantined"]
        return counts
