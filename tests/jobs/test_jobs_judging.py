"""Why a job's processes ended, and whether a new version is as good as the one before it."""

import signal
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest

from fleetflow.contracts.payload import Span
from fleetflow.contracts.sink import Counts
from fleetflow.errors import FleetflowError
from fleetflow.jobs import guard, supervisor
from fleetflow.jobs.guard import Bounds
from fleetflow.ledger.store import LedgerStore


def test_the_kill_is_the_cause_even_when_its_consequence_is_seen_first():
    follower = subprocess.Popen(["false"])
    killed = subprocess.Popen(["sleep", "600"])
    assert follower.wait() == 1
    threading.Timer(0.3, killed.send_signal, [signal.SIGKILL]).start()
    assert supervisor._cause([follower, killed]) == -signal.SIGKILL
    killed.wait()


def test_without_a_kill_the_exit_code_is_the_cause():
    processes = [subprocess.Popen(["false"]), subprocess.Popen(["true"])]
    for process in processes:
        process.wait()
    assert supervisor._cause(processes) == 1


def test_a_peer_that_does_not_end_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(supervisor, "PEERS_S", 0.2)
    failed, endless = subprocess.Popen(["false"]), subprocess.Popen(["sleep", "600"])
    failed.wait()
    assert supervisor._cause([failed, endless]) == 1
    endless.kill()
    endless.wait()


LOG = """2026-01-31T12:00:00.500Z ERROR   fleetflow_alpha: before
2026-01-31T12:00:01.500Z WARNING fleetflow_alpha: no ERROR at all
2026-01-31T12:00:02.500Z ERROR   fleetflow_alpha: within
Traceback (most recent call last):
{"time": "2026-01-31T12:00:03.500000+00:00", "level": "ERROR", "logger": "a", "message": "within"}
2026-01-31T12:00:09.500Z CRITICAL fleetflow_alpha: after
"""
NOON = 1769860800.0


def test_errors_are_counted_by_level_and_time_in_text_and_json(tmp_path):
    log = tmp_path / "job.log"
    assert guard.errors(log, 0, NOON) == 0
    log.write_text(LOG)
    assert guard.errors(log, NOON + 1, NOON + 5) == 2
    assert guard.errors(log, NOON, NOON + 60) == 4


class FakeJob:
    """A job that is healthy, and writes what it is told into its ledger."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "job.log"
        self.store = LedgerStore(folder)
        self.position = 0
        self.state = {"state": "running", "healthy": True, "restarts": 0}

    def settle(self, counts):
        span = Span("beta", "beta-0", "url", self.position, counts.read, counts.read - self.position, 0)
        self.position = counts.read
        self.store.write("0000", {"beta": counts}, {}, [span], [])

    def truth(self):
        return self.state


@pytest.fixture
def job(tmp_path):
    job = FakeJob(tmp_path)
    yield job
    job.store.close()


def watch(job, **bounds):
    watched = guard.before(job.folder, job)
    try:
        yield watched
        guard.watch(job, Bounds(**{"within_s": 5, "watch_s": 0, **bounds}), watched)
    finally:
        watched.over.set()
        watched.ledger.close()


def judged(job, change, **bounds):
    """Return what is wrong after `change`, empty when nothing is; and what was watched."""
    steps = watch(job, **bounds)
    watched = next(steps)
    change()
    try:
        next(steps, None)
    except FleetflowError as error:
        return error.message, watched
    return "", watched


def test_as_many_rejects_as_before_are_no_reason_to_go_back(job):
    job.settle(Counts(100, 90, 0, 10))
    assert judged(job, lambda: job.settle(Counts(200, 180, 0, 20)))[0] == ""


def test_a_larger_share_of_rejects_is_named(job):
    job.settle(Counts(100, 90, 0, 10))
    message, _ = judged(job, lambda: job.settle(Counts(200, 178, 0, 22)))
    assert message == "source beta: 12 of 100 records were rejected (12.0 %), before it were 10.0 %"


def test_the_bound_of_rejects_is_the_operators(job):
    job.settle(Counts(100, 90, 0, 10))
    assert judged(job, lambda: job.settle(Counts(200, 178, 0, 22)), rejects=2.5)[0] == ""


def test_of_a_few_records_no_share_is_told(job):
    job.settle(Counts(100, 100, 0, 0))
    assert judged(job, lambda: job.settle(Counts(103, 101, 0, 2)))[0] == ""


def test_errors_that_the_old_version_did_not_log_are_a_reason(job):
    def change():
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 0.5))
        job.log.write_text(f"{stamp}.999Z ERROR   fleetflow_alpha: it broke\n")

    assert judged(job, change, watch_s=30)[0] == "it logged 1 errors, the version before 0 in 60 s"


def test_a_restart_is_a_reason(job):
    job.state = {"state": "backing-off", "restarts": 1, "reason": "a process ended with code 1"}
    assert judged(job, lambda: None)[0] == "it failed: a process ended with code 1"


def test_a_version_without_a_snapshot_is_not_healthy_in_time(job):
    job.state = {"state": "running", "healthy": False}
    assert judged(job, lambda: None, within_s=0.1)[0] == "no snapshot was taken within 0.1 s"


def test_the_pause_is_from_the_last_record_before_to_the_first_after(job):
    job.settle(Counts(100, 100, 0, 0))
    steps = watch(job)
    watched = next(steps)
    assert watched.pause_ms is None
    job.settle(Counts(120, 120, 0, 0))
    deadline = time.monotonic() + 20
    while watched.pause_ms is None:
        assert time.monotonic() < deadline, "the first record was not seen"
        time.sleep(0.01)
    assert next(steps, None) is None
    assert [moment.counts["beta"].read for moment in watched.moments] == [100, 120, 120]


def test_a_job_without_a_ledger_is_judged_by_its_health(tmp_path):
    job = SimpleNamespace(log=tmp_path / "log", truth=lambda: {"state": "completed"})
    watched = guard.before(None, job)
    guard.watch(job, Bounds(watch_s=0), watched)
    assert watched.moments == []
    assert watched.pause_ms is None
