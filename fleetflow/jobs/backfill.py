"""Reading a job's history again under its present schema, beside the job.

Only the vehicles map is written, by the rule that nothing moves backwards: a record is replaced by a newer
ping, or by the same ping as a newer schema has it. Neither detectors nor recorders, nor the quarantine, nor
the ledger see the history a second time: it was accounted for when it was first read.
`python -m fleetflow.jobs.backfill` is the run itself, in the job's environment.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleetflow import application
from fleetflow.contracts.sink import Counts, ShardBatch, Sink
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import FailedError
from fleetflow.jobs.places import Places
from fleetflow.jobs.surroundings import killed_with_parent, whole_environment_of

TELL_EVERY_S = 1.0
FOLDER = "backfills"
OWN = "requeue"
"""The source of what was put back through: it has no history of its own."""

log = logging.getLogger(__name__)


def backfill(
    places: Places,
    name: str,
    source: str | None,
    since: float | None,
    workers: int,
    progress: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Read again, and return the counts: read, applied, superseded, rejected.

    A backfill that was broken off goes on where it was when it is asked for again.
    """
    job = places.job(name)
    spec = job.read()
    wanted = {"release": spec.release, "source": source, "since": since}
    key = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    folder = job.folder / FOLDER / key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-P", "-m", "fleetflow.jobs.backfill", str(folder), str(workers)]
    command += [source or "", "" if since is None else repr(since)]
    log_file = folder / "log"
    environment = whole_environment_of(job, spec)
    last: dict[str, Any] = {}
    with log_file.open("ab") as errors:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=spec.home,
            stdin=subprocess.DEVNULL,
            preexec_fn=killed_with_parent(),  # noqa: PLW1509 - looked up before the fork, calls the kernel alone
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            for line in process.stdout or ():
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                last = found
                if not found.get("done") and "error" not in found:
                    progress(found)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code or "error" in last or not last.get("done"):
        tail = log_file.read_text("utf-8", "replace").strip().splitlines()[-3:]
        raise FailedError(
            f'the backfill of "{name}" failed: {last.get("error") or " ".join(tail) or f"exit code {code}"}',
            f"see {log_file}; asked for again it goes on where it was",
        )
    shutil.rmtree(folder, ignore_errors=True)
    return last


def words(counts: Mapping[str, Any]) -> str:
    """Return counts for people."""
    names = ("read", "applied", "superseded", "rejected")
    state = "done" if counts.get("done") else "reading"
    return f"{state}: " + ", ".join(f"{name} {counts[name]:,}" for name in names)


class Tally:
    """Adds up what became of the records, and tells it about once per second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._rejected = 0
        self._told_at = time.monotonic()

    def observe(self, batch: ShardBatch) -> Mapping[str, Counts]:
        """Take note of what was read, and superseded on the way."""
        with self._lock:
            for counts in (batch.counts or {}).values():
                self._counts += Counts(read=counts.read, superseded=counts.superseded)
            self._rejected += len(batch.rejects)
            if time.monotonic() - self._told_at > TELL_EVERY_S:
                self._told_at = time.monotonic()
                self._print(done=False)
        return {}

    def settled(self, outcome: Mapping[str, Counts]) -> None:
        """Take note of what the map made of the pings."""
        with self._lock:
            for counts in outcome.values():
                self._counts += counts

    def end(self) -> None:
        """Tell the last counts."""
        with self._lock:
            self._print(done=True)

    def _print(self, done: bool) -> None:
        counts = asdict(self._counts)
        del counts["quarantined"]
        sys.stdout.write(json.dumps({**counts, "rejected": self._rejected, "done": done}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Run a backfill: folder, workers, source (empty: all), since (empty: everything)."""
    from fleetflow.audit import apart  # noqa: PLC0415 - Bytewax is needed by the run alone
    from fleetflow.audit.taps import Since, Tap, quarantined  # noqa: PLC0415

    folder, workers, source, since = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    try:
        plugins, configuration = application.load()
        plugins.require_sound()
        found: list[Sink] = plugins.gather("fleetflow_sinks", "sink", lambda sink: sink.name, configuration)
        pings = [sink for sink in found if sink.role == "pings"]
        sources: list[Any] = plugins.gather(
            "fleetflow_sources", "source", lambda each: each.name, configuration
        )
        names = [source] if source else [each.name for each in sources if each.name != OWN]
        tally = Tally()
        sinks: list[Any] = [
            *(Since(sink, float(since) if since else float("-inf"), tally.settled) for sink in pings),
            Tap("backfill_rejects", "rejects", quarantined),
            Tap("backfill", "observer", tally.observe),
        ]
        active = apart.Apart(plugins, sinks, names, detectors=False)
        apart.run(active, configuration, folder / "store", workers, snapshot_s=5)
        tally.end()
    except FleetflowError as error:
        sys.stdout.write(json.dumps({"error": error.message, "hint": error.hint}) + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
