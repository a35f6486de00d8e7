"""What is refused or undone around the start of a job, without starting one."""

import json
import os
import signal
import zipfile

import pytest
from click.testing import CliRunner

from fleetflow import application
from fleetflow.builtin.jobs.lifecycle import list_jobs_command
from fleetflow.builtin.jobs.signals import interruptible
from fleetflow.jobs import package, running, upgrade
from fleetflow.jobs.guard import Bounds
from fleetflow.jobs.model import FailedError, Job, JobError, RefusedError, Spec
from fleetflow.jobs.places import Places
from fleetflow.recovery import StoreLock, ensure_store


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "jobs", tmp_path / "savepoints", 5.0)


@pytest.fixture
def job(places, tmp_path):
    found = Job(places.jobs / "trucks")
    found.folder.mkdir(parents=True)
    found.write(Spec("trucks", str(tmp_path)))
    return found


def test_a_second_job_on_one_ledger_is_refused(job, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "GONE_S", 0.1)
    spec = Spec("two", str(tmp_path))
    spec.description = {"sinks": ["ledger"], "configuration": {"ledger": {"dir": "data/ledger"}}}
    running.alone(job, spec)
    lock = StoreLock(tmp_path / "data/ledger", "ledger", "ledger")
    lock.acquire()
    with pytest.raises(JobError, match=f"process {os.getpid()} does so") as found:
        running.alone(job, spec)
    assert "--set ledger.dir=" in found.value.hint
    lock.release()
    running.alone(job, spec)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"name": "x"}',
        '{"name": 5, "home": ""}',
        '{"name": "x", "home": "", "workers": "two"}',
        '{"name": "x", "home": "", "environment": {"A": 1}}',
        '{"name": "x", "home": "", "policy": {"attempts": "many"}}',
    ],
)
def test_a_job_file_that_was_edited_by_hand_is_an_error_with_a_hint(job, text):
    (job.folder / "job.json").write_text(text)
    with pytest.raises(JobError, match="cannot be read") as found:
        job.read()
    assert "correct the file" in found.value.hint


def test_a_damaged_job_is_listed_beside_the_others(places, job, tmp_path):
    (places.jobs / "bad").mkdir()
    (places.jobs / "bad/job.json").write_text("{")
    _, configuration = application.load(environment={"FLEETFLOW_HOME": str(tmp_path)})
    done = CliRunner().invoke(list_jobs_command, ["--json", "-a"], obj=configuration)
    assert done.exit_code == 0
    rows = {row["job"]: row["state"] for row in map(json.loads, done.stdout.splitlines())}
    assert rows == {"bad": "damaged", "trucks": "interrupted"}


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_change_that_ends_before_the_new_version_leaves_the_old_one_running(
    places, job, monkeypatch, error
):
    started = []
    ensure_store(job.store)
    monkeypatch.setattr(upgrade, "start", lambda job, spec, timeout_s: started.append(spec.release))
    monkeypatch.setattr(Job, "truth", lambda self: {"state": "running"})

    def broken(*arguments):
        raise error

    monkeypatch.setattr(upgrade.savepoint, "take", broken)
    old, new = Spec("trucks", "", release=1), Spec("trucks", "", release=2)
    with pytest.raises(FailedError, match="was broken off, nothing was changed"):
        upgrade._swap(places, job, old, new, Bounds(), "upgrade", None)
    assert started == [1]


def test_the_end_of_a_terminal_interrupts_like_ctrl_c():
    # ignored under nohup
    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before


@pytest.mark.parametrize("lock", [b"[]", b"{}", b'{"version": 1, "wheels": 5}', b"\xff"])
def test_what_is_not_a_package_is_refused(tmp_path, lock):
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("lock.json", lock)
    with pytest.raises(RefusedError):
        package.install(file, tmp_path / "site")


def test_a_package_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(JobError, match="cannot be written"):
        package.build(tmp_path / "none" / "x.zip", [], None)
    assert list(tmp_path.iterdir()) == []
