"""The process that keeps a job's processes running as one unit: `python -m fleetflow.jobs.supervisor FOLDER`.

Restarts from the last snapshot with growing pauses, gives up on a crash loop and keeps the reason, restarts
what is alive and does not progress. SIGTERM ends the job cleanly. When it is killed itself, the kernel
kills the job's processes with it: the next start goes on from the last snapshot.
"""

from __future__ import annotations

import collections
import fcntl
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from fleetflow.cluster import Cluster, bytewax_command
from fleetflow.jobs.model import Job, JobError, Spec, start_time, write_json
from fleetflow.jobs.surroundings import environment_of, killed_with_parent
from fleetflow.recovery import ensure_store
from fleetflow.savepoints import store

LOG_BYTES, LOG_FILES = 10_000_000, 5
TAIL_LINES = 15
PATIENCE_S = 15.0
"""How long a clean end may take before the processes are killed (the last interval is then read again)."""
LOOK_S = 0.1
PEERS_S = 10.0
"""How long the processes that follow a failed one may take to end: only then is the cause told from them."""
SETTLE_S = 1.0
"""How long an execution must live until it is said to run: what cannot be opened fails before."""


class Log:
    """The job's log: whatever its processes print, and the supervisor's own lines, in rotated files."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        logging.raiseExceptions = False  # a full disk must not stop the job
        self._handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1, encoding="utf-8"
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self.tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)
        reading, self.output = os.pipe()
        threading.Thread(target=self._pump, args=(os.fdopen(reading, "rb"),), daemon=True).start()

    def say(self, message: str) -> None:
        """Write a line of the supervisor's own."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self._write(f"{stamp}.{int(time.time() * 1000) % 1000:03d}Z INFO    fleetflow.jobs: {message}")

    def _pump(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode("utf-8", "replace").rstrip("\n")
            self.tail.append(text)
            self._write(text)

    def _write(self, text: str) -> None:
        self._handler.handle(logging.LogRecord("job", logging.INFO, "", 0, text, None, None))


class Supervisor:
    """Runs one job until it is stopped, ends, or fails for good."""

    def __init__(self, job: Job, log: Log) -> None:
        self._job, self._log = job, log
        self._spec: Spec = job.read()
        self._stop = threading.Event()
        self._status: dict[str, Any] = {"run": self._spec.run, "restarts": 0}
        self._kill = killed_with_parent()

    def run(self) -> None:
        """Supervise until the end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _end_leftovers(self._job.status())
        policy = self._spec.policy
        failures, pause = 0, policy["backoff_s"]
        while not self._stop.is_set():
            self._tell("starting", processes=[], healthy=False)
            reason, progressed = self._once()
            if self._stop.is_set():
                break
            if not reason:
                self._tell("completed", processes=[])
                return
            # only a job that came further than before starts counting anew
            failures = 1 if progressed else failures + 1
            pause = policy["backoff_s"] if progressed else min(pause * 2, policy["backoff_most_s"])
            facts = {
                "reason": reason,
                "last_log": list(self._log.tail),
                "failures": failures,
                "processes": [],
                "healthy": False,
            }
            self._log.say(f"{reason}; failures in a row: {failures}")
            if failures >= policy["attempts"]:
                self._tell("failed", **facts)
                return
            self._status["restarts"] += 1
            self._tell("backing-off", until=time.time() + pause, **facts)
            self._stop.wait(pause)
        wanted = self._job.read().wanted
        self._tell("interrupted" if wanted == "running" else wanted, processes=[], healthy=False)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _start(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=self._spec.home,
            stdin=subprocess.DEVNULL,
            stdout=self._log.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # looked up before the fork, calls the kernel alone
            preexec_fn=self._kill,  # noqa: PLW1509
        )

    def _command(self, number: int, addresses: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        spec = self._spec
        command = bytewax_command(spec.workers, self._job.store, spec.snapshot_s, number, addresses)
        return command, environment_of(self._job, spec)

    def _once(self) -> tuple[str, bool]:
        """Run the processes once; returns why they ended ("": properly) and whether they progressed."""
        spec = self._spec
        try:
            ensure_store(self._job.store)
            before = store.progress_of(self._job.store)
            cluster = Cluster(self._command, spec.processes, self._start)
        except Exception as error:
            # a full disk, a missing program: tried again like a crash
            return f"the processes could not be started: {error}", False
        self._tell(
            "starting",
            processes=[
                {"pid": process.pid, "started": start_time(process.pid)} for process in cluster.processes
            ],
        )
        try:
            return self._watch(cluster, before.execution if before else -1)
        finally:
            _kill_all(cluster.processes)

    def _watch(self, cluster: Cluster, before: int) -> tuple[str, bool]:
        stall_s = max(self._spec.policy["stall_s"], 3.0 * self._spec.snapshot_s)
        moved_at = looked_at = time.monotonic()
        asked_at: float | None = None
        frontier: int | None = None
        moves = 0
        seen_at: float | None = None
        while True:
            now = time.monotonic()
            codes = [process.poll() for process in cluster.processes]
            if any(code not in (None, 0) for code in codes):
                return f"a process {_in_words(_cause(cluster.processes))}", moves > 1
            if all(code == 0 for code in codes):
                ended = self._spec.once or self._stop.is_set()
                return ("" if ended else "the processes ended by themselves"), moves > 1
            if self._stop.is_set():
                if asked_at is None:
                    asked_at = now
                    self._tell("stopping")
                    cluster.stop()
                elif now - asked_at > PATIENCE_S:
                    self._log.say(f"no clean end within {PATIENCE_S:g} s, killed")
                    return "", False
            elif now - looked_at > LOOK_S:
                looked_at = now
                reached = store.progress_of(self._job.store)
                if reached is not None and reached.execution > before:
                    if seen_at is None:
                        seen_at = now
                        self._status["reading_since"] = time.time()
                    if reached.frontier is not None and reached.frontier != frontier:
                        frontier, moved_at = reached.frontier, now
                        moves += 1
                    if moves or now - seen_at > SETTLE_S:
                        self._progress(reached.epoch, moves)
                if now - moved_at > stall_s:
                    return f"no progress for {stall_s:g} s", moves > 1
            time.sleep(LOOK_S)

    def _progress(self, epoch: int, moves: int) -> None:
        healthy = moves > 0
        if self._status.get("state") != "running" or self._status.get("healthy") != healthy:
            self._tell("running", epoch=epoch, healthy=healthy)

    def _tell(self, state: str, **facts: Any) -> None:
        if self._status.get("state") != state:
            self._status["since"] = time.time()
            self._log.say(state)
        self._status |= {"state": state, "pid": os.getpid(), **facts}
        try:
            write_json(self._job.folder / "status.json", self._status)
        except OSError as error:
            # the lock still tells that the job is supervised
            self._log.say(f"the status could not be written: {error}")


def _cause(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Return the exit code that explains why a job's processes end: a signal, if there was one.

    When one process is killed its peers end with code 1, and may be seen to have ended before it: the
    kernel closes a process's sockets before it can be waited for. So all ends are waited for first.
    """
    deadline = time.monotonic() + PEERS_S
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code not in (None, 0)]
        if min(failed) < 0 or None not in codes or time.monotonic() > deadline:
            return min(failed)
        time.sleep(LOOK_S)


def _in_words(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _kill_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


def _end_leftovers(status: Mapping[str, Any]) -> None:
    """Kill processes of a supervisor before this one; the kernel has done so unless it started them badly."""
    for process in status.get("processes", []):
        pid, started = int(process["pid"]), process["started"]
        if started and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Take the job's lock and supervise it."""
    job = Job(Path(sys.argv[1]))
    file = (job.folder / "supervisor.lock").open("a+", encoding="utf-8")
    deadline = time.monotonic() + 5
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            # whoever looks whether a supervisor lives holds the lock for a moment
            if time.monotonic() > deadline:
                raise JobError(f'the job "{job.name}" is supervised already') from error
            time.sleep(0.02)
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    Supervisor(job, Log(job.log)).run()


if __name__ == "__main__":
    main()
