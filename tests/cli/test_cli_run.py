"""`fleetflow run` with several processes: how many workers they have, and that one may fail."""

import os
import signal
import subprocess
import sys
import time

import click
import pytest

from fleetflow import cluster
from fleetflow.builtin.core import RunSettings
from fleetflow.cli import run
from fleetflow.recovery import StoreLock
from fleetflow.testing.home import PATIENCE_S, Home


class Fake:
    """A cluster that ends with the next of `codes`."""

    codes: list[int]
    started: int

    def __init__(self, *arguments):
        type(self).started += 1

    def wait(self, hopeless):
        return self.codes.pop(0)

    def stop(self):
        self.codes.clear()


@pytest.fixture
def fake(monkeypatch):
    Fake.started = 0
    monkeypatch.setattr(cluster, "Cluster", Fake)
    monkeypatch.setattr(run.signal, "signal", lambda number, handler: None)
    return Fake


@pytest.mark.parametrize(
    ("codes", "code", "started"),
    [([0], 0, 1), ([1, 0], 0, 2), ([-11, 1, 0], 0, 3), ([1, 1, -9, 0], -9, 3), ([78, 0], 78, 1)],
)
def test_all_processes_are_started_again_when_one_fails(fake, monkeypatch, codes, code, started):
    monkeypatch.setattr(run, "begin", lambda ctx: None)
    fake.codes = codes
    assert run._run_cluster(click.Context(run.run_command), 2) == code
    assert fake.started == started


def told(home: Home, *arguments: str) -> list[str]:
    """Return what a job says that cannot be set up."""
    return home.refused(*arguments).splitlines()


SEVERAL = ("run", "--once", "-p", "3", "-w", "1")
PING = "1HGCM82633A004352,52.5,13.4,1700000000\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--set", "flow.shard=4", *SEVERAL),
        ("--set", "alpha.poll_s=never", *SEVERAL),
        ("--config", "nowhere.toml", *SEVERAL),
        ("--log-config", "nowhere.toml", *SEVERAL),
    ],
    ids=["unknown", "of the wrong type", "no file", "no file for logging"],
)
def test_a_wrong_setting_is_told_once_by_however_many_processes(tmp_path, wrong):
    home = Home(tmp_path)
    lines = told(home, *wrong)
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    assert lines == told(home, *wrong[:2], "run", "--once")


def test_a_store_in_use_is_told_once_and_not_tried_again(tmp_path):
    home = Home(tmp_path)
    lock = StoreLock(tmp_path / "recovery")
    lock.acquire()
    try:
        lines = told(home, *SEVERAL)
    finally:
        lock.release()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    assert f"is in use by process {os.getpid()}" in lines[0]
    home.once(*SEVERAL[2:])


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path):
    (tmp_path / "recovery").write_text("a file")
    assert len(told(Home(tmp_path), *SEVERAL)) == 2


def test_debug_shows_where_an_error_comes_from(tmp_path):
    lines = told(Home(tmp_path), "--debug", "--set", "flow.shard=4", *SEVERAL)
    assert lines.count("Traceback (most recent call last):") == 1


def test_who_starts_several_processes_loads_next_to_nothing():
    code = (
        "import sys; from fleetflow import cluster; from fleetflow.__main__ import main;"
        "cluster.Cluster = lambda *a: sys.exit(' '.join({'polars', 'numpy', 'pydantic'} & set(sys.modules)));"
        "sys.argv = ['fleetflow', 'run', '-p', '2']; main()"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.strip()) == ("", "")


def test_settings_may_ask_for_several_processes(tmp_path):
    home = Home(tmp_path, run={"processes": 2}, log={"level": "INFO"})
    home.write({"A.csv": [PING]})
    home.once()
    assert home.account()["applied"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_several_processes_end_when_asked_to(tmp_path, number):
    home = Home(tmp_path)
    home.write({"A.csv": [PING]})
    process = home.start("run", "-p", "2")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not home.rows("vehicles", "list"):
            assert time.monotonic() < deadline
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("settings", "asked", "size"),
    [
        ({}, (None, None), (2, 1)),
        ({}, (None, 3), (1, 3)),
        ({}, (4, 3), (4, 3)),
        ({"processes": 2}, (None, None), (1, 2)),
        ({"workers": 3}, (None, 2), (3, 2)),
    ],
)
def test_several_processes_have_one_worker_each_unless_told_otherwise(settings, asked, size):
    assert RunSettings(**settings).size(*asked) == size
