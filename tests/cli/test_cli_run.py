"""`fleetflow run` with several processes: how many workers they have, and that one may fail."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fleetflow import cluster
from fleetflow.builtin.core import RunSettings
from fleetflow.cli import several
from fleetflow.dataflow.stop import LEFT
from fleetflow.recovery import StoreLock
from fleetflow.testing.home import PATIENCE_S, Home


class Fake:
    """A cluster that ends with the next of `codes`; `meanwhile` is called as it is started."""

    codes: list[int]
    started: int
    stopped: int

    def __init__(self, *arguments):
        type(self).started += 1
        self.meanwhile()

    @staticmethod
    def meanwhile():
        pass

    def wait(self, hopeless):
        assert hopeless == several.REFUSED
        return self.codes.pop(0)

    def stop(self):
        type(self).stopped += 1
        self.codes[:] = [-signal.SIGTERM]


@pytest.fixture
def handlers(monkeypatch):
    """Return what was set for signals, instead of setting it."""
    found = {}
    monkeypatch.setattr(several.signal, "signal", found.__setitem__)
    return found


@pytest.fixture
def fake(monkeypatch, handlers):
    monkeypatch.setattr(cluster, "Cluster", Fake)
    Fake.started = Fake.stopped = 0
    return Fake


@pytest.mark.parametrize(
    ("codes", "code", "started"),
    [([0], 0, 1), ([1, 0], 0, 2), ([-11, 1, 0], 0, 3), ([1, 1, -9, 0], -9, 3), ([78, 0], 78, 1)],
)
def test_all_processes_are_started_again_when_one_fails(fake, codes, code, started):
    fake.codes = codes
    assert several.run(2, lambda: None) == code
    assert fake.started == started


def test_a_signal_while_processes_are_being_started_is_not_lost(fake, handlers, monkeypatch):
    fake.codes = [1, 0]
    monkeypatch.setattr(fake, "meanwhile", lambda self: handlers[signal.SIGTERM](signal.SIGTERM, None))
    assert several.run(2, lambda: None) == 0
    assert (fake.started, fake.stopped) == (1, 1)


def test_a_signal_between_two_attempts_is_not_lost(fake, handlers, monkeypatch):
    fake.codes = [1, 0]
    assert several.run(2, lambda: handlers[signal.SIGINT](signal.SIGINT, None)) == 1
    assert fake.started == 1


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


def test_what_a_plugin_should_not_raise_is_told_once(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'fleetflow' in sys.orig_argv:\n"
        "    import fleetflow.application as application\n"
        "    application.prepare = lambda *a, **k: 1 / 0\n"
    )
    home = Home(tmp_path)
    home.environment["PYTHONPATH"] = str(tmp_path)
    assert sum("ZeroDivisionError" in line for line in told(home, *SEVERAL)) == 1


def test_debug_shows_where_an_error_comes_from(tmp_path):
    lines = told(Home(tmp_path), "--debug", "--set", "flow.shard=4", *SEVERAL)
    assert lines.count("Traceback (most recent call last):") == 1


def test_who_starts_several_processes_loads_next_to_nothing():
    code = (
        "import sys; from fleetflow import cluster; from fleetflow.__main__ import main;"
        "heavy = {'polars', 'numpy', 'pydantic', 'bytewax', 'pluggy', 'fleetflow.plugins'};"
        "cluster.Cluster = lambda *a: sys.exit(' '.join(heavy & set(sys.modules)));"
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
@pytest.mark.parametrize("shards", [8, 1], ids=["each reads", "one of them reads"])
def test_several_processes_end_when_asked_to(tmp_path, shards, number):
    home = Home(tmp_path, alpha={"shards": shards}, log={"level": "INFO"})
    home.write({"A.csv": [PING]})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fleetflow", "run", "-p", "2"],
        cwd=tmp_path,
        env=home.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not home.rows("vehicles", "list"):
            assert time.monotonic() < deadline
            assert process.poll() is None
        process.send_signal(number)
        _, log = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert log.count("stopping after a last snapshot") == 2


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("program", ["fleetflow", "bytewax"])
def test_a_process_that_waits_for_others_ends_when_asked_to(tmp_path, program, number):
    home = Home(tmp_path)
    addresses = cluster.free_addresses(2)
    token, full = os.pipe()
    command, variables = {
        "fleetflow": (["fleetflow", "run"], several.Place(1, addresses, token).as_variables()),
        "bytewax": (["bytewax.run", "fleetflow:flow", "-i", "1", "-a", ";".join(addresses)], {}),
    }[program]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", *command],
        cwd=tmp_path,
        env={**home.environment, **variables},
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[token],
    )
    try:
        assert "error connecting to worker 0" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == LEFT
    finally:
        process.kill()
        process.communicate()
        os.close(token)
        os.close(full)


@pytest.mark.parametrize("given", ["", "0", "first 3 127.0.0.1:1", "0 12345 127.0.0.1:1"])
def test_a_place_that_fleetflow_did_not_give_is_refused(tmp_path, given):
    home = Home(tmp_path)
    home.environment["FLEETFLOW_PROCESS"] = given
    assert "was not set by fleetflow" in told(home, "run", "--once")[0]


def test_one_of_several_processes_tells_what_all_meet(monkeypatch):
    token, full = os.pipe()
    try:
        os.set_blocking(token, False)
        os.write(full, b".")
        for name, value in several.Place(2, ("127.0.0.1:1",), token).as_variables().items():
            monkeypatch.setenv(name, value)
        place = several.Place.take()
        assert (place.number, list(place.addresses)) == (2, ["127.0.0.1:1"])
        assert [place.is_to_tell() for _ in range(3)] == [True, False, False]
        assert several.Place.take() is None
    finally:
        os.close(token)
        os.close(full)
