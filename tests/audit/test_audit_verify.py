"""Whatever is removed from the map, the quarantine or the ledger is found from the raw inputs."""

import contextlib
import importlib.util
import json
import os
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from fleetflow import application
from fleetflow.audit.verify import Verification
from fleetflow.builtin import rules
from fleetflow.contracts.rule import Rule

FILE = Path(__file__).parents[1] / "jobs" / "fleet_kit.py"
SPEC = importlib.util.spec_from_file_location("audit_kit", FILE)
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

MAP = "data/vehicles/cache.db"
QUARANTINE = "data/quarantine/quarantine.sqlite3"
LEDGER = "data/ledger/ledger.sqlite3"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run over both sources, with rejects in both, that ended cleanly."""
    fleet = kit.Fleet(tmp_path_factory.mktemp("done"))
    fleet.alpha(40, codes=",P0300", junk=3)
    fleet.beta(40, codes=["P0420"], junk=2)
    fleet.run("run", "--once")
    yield fleet
    fleet.end()


@pytest.fixture
def home(done, tmp_path):
    """A copy of that run, to do harm to."""
    copy = tmp_path / "home"
    shutil.copytree(done.home, copy)
    return copy


def verify(done, home, changed=False):
    environment = {**done.environment, "FLEETFLOW_HOME": str(home), "FLEETFLOW_ONCE": "1"}
    environment["FLEETFLOW_BETA_ONCE_ATTEMPTS"] = "2"
    plugins, configuration = application.load(environment=environment)
    return Verification(plugins, configuration, home / "recovery", False, changed).run()


def change(home, file, *statements):
    with contextlib.closing(sqlite3.connect(home / file)) as connection:
        changed = sum(connection.execute(statement).rowcount for statement in statements)
        connection.commit()
    assert changed > 0, "the test did no harm"


def kinds(found):
    return {problem["kind"] for problem in found["problems"]}


def test_a_run_that_nobody_touched_is_verified_whole(done, home):
    found = verify(done, home)
    assert found["problems"] == []
    assert found["not_verifiable"] == []
    assert found["map"]["same"] == 6
    assert found["sources"]["alpha"] == {
        "resources": 3,
        "positions": sum(path.stat().st_size for path in (home / "data/alpha").glob("*.csv")),
        "records": 43,
        "pings": 40,
        "rejects": 3,
    }
    assert (found["sources"]["beta"]["records"], found["sources"]["beta"]["rejects"]) == (42, 2)


HARM = {
    "a vehicle removed": (MAP, "delete from Cache where key = 'ALPHA1'", "map", "ALPHA1 is not in the map"),
    "a record of an older ping": (
        MAP,
        "update Cache set value = replace(value, '\"time\":', '\"time\":-') where key = 'BETA1'",
        "map",
        "is older than its newest ping",
    ),
    "a record moved elsewhere": (
        MAP,
        "update Cache set value = replace(value, '41.5', '41.6') where key = 'BETA2'",
        "map",
        "differs from its newest ping",
    ),
    "other codes": (
        MAP,
        "update Cache set value = replace(value, 'P0420', 'P0999') where key = 'BETA2'",
        "map",
        "differs from its newest ping",
    ),
    "a record from nowhere": (
        MAP,
        "update Cache set value = replace(value, '\"time\":1', '\"time\":2') where key = 'ALPHA2'",
        "map",
        "no input that was read explains its record",
    ),
    "a reject removed": (
        QUARANTINE,
        "delete from rejects where id = (select min(id) from rejects where source = 'alpha')",
        "quarantine",
        "not a valid ping, and not in the quarantine",
    ),
    "a reject of the service removed": (
        QUARANTINE,
        "delete from rejects where id = (select max(id) from rejects where source = 'beta')",
        "quarantine",
        "not a valid ping, and not in the quarantine",
    ),
    "a range removed": (
        LEDGER,
        "delete from ranges where resource = 'ALPHA1.csv'",
        "ledger",
        "the ledger lacks [0, ",
    ),
    "a range cut short": (
        LEDGER,
        "update ranges set end = end - 1 where source = 'beta'",
        "ledger",
        "the ledger lacks [41, 42)",
    ),
    "a range with fewer records": (
        LEDGER,
        "update ranges set records = records - 1 where resource = 'ALPHA2.csv'",
        "ledger",
        "records of ALPHA2.csv",
    ),
    "an account with fewer records": (
        LEDGER,
        "update counts set read = read - 1, superseded = superseded - 1 where superseded > 0",
        "ledger",
        "its account",
    ),
}


@pytest.mark.parametrize("harm", HARM, ids=lambda name: name.replace(" ", "_"))
def test_harm_is_found_and_named(done, home, harm):
    file, statement, kind, words = HARM[harm]
    change(home, file, statement)
    found = verify(done, home)
    assert kind in kinds(found)
    assert any(words in problem["message"] for problem in found["problems"]), found["problems"]


def test_a_range_and_its_account_removed_together_are_found(done, home):
    change(
        home,
        LEDGER,
        "delete from ranges where source = 'alpha'",
        "delete from counts where source = 'alpha'",
    )
    assert "ledger" in kinds(verify(done, home))


def test_what_only_the_present_version_rejects_is_no_problem_when_versions_changed(done, home, monkeypatch):
    original = rules.builtin_rules
    stricter = Rule("strict", "not this moment", lambda now: pl.col("time") != 1_700_000_002)
    monkeypatch.setattr(rules, "builtin_rules", lambda future_s: [*original(future_s), stricter])
    assert kinds(verify(done, home)) == {"quarantine"}
    lenient = verify(done, home, changed=True)
    assert lenient["problems"] == []
    assert [each["amount"] for each in lenient["not_verifiable"] if each["unit"] == "rejects"] == [1]
    # a reject that somebody removed is found all the same
    change(home, QUARANTINE, "delete from rejects where id = (select min(id) from rejects)")
    assert kinds(verify(done, home, changed=True)) == {"quarantine"}


def test_an_input_that_was_changed_afterwards_is_found(done, home):
    path = home / "data/alpha/ALPHA1.csv"
    path.write_text(path.read_text().replace("40.5", "40.6"))
    found = verify(done, home)
    assert found["problems"] or found["not_verifiable"]


def test_what_came_after_the_run_is_not_missed(done, home):
    with (home / "data/alpha/ALPHA0.csv").open("a") as file:
        file.write("ALPHA0,1,2,1800000000\nno ping\n")
    (home / "data/alpha/NEW.csv").write_text("NEW,1,2,1800000000\n")
    assert verify(done, home)["problems"] == []


def test_a_file_that_is_gone_is_said_to_be_not_verifiable(done, home):
    size = (home / "data/alpha/ALPHA1.csv").stat().st_size
    (home / "data/alpha/ALPHA1.csv").unlink()
    found = verify(done, home)
    assert [(each["resource"], each["amount"]) for each in found["not_verifiable"]] == [("ALPHA1.csv", size)]
    assert found["problems"] == []


def test_history_that_the_service_lost_is_said_to_be_not_verifiable(done, home):
    done.service._history, history = 10, done.service._history
    try:
        found = verify(done, home)
    finally:
        done.service._history = history
    amounts = [each["amount"] for each in found["not_verifiable"] if each["source"] == "beta"]
    assert amounts == [32]
    assert not any(problem["kind"] != "quarantine" for problem in found["problems"]), found["problems"]


def test_the_command_ends_with_1_when_a_gap_is_unexplained(done, home):
    done.environment["FLEETFLOW_HOME"], before = str(home), done.environment["FLEETFLOW_HOME"]
    try:
        assert done.audit()["verdict"] == "whole"
        change(home, LEDGER, "update ranges set start = 5 where source = 'beta'")
        content = done.audit(code=1)
    finally:
        done.environment["FLEETFLOW_HOME"] = before
    assert content["verdict"] == "gap"
    assert [(gap["start"], gap["end"], gap["explained"]) for gap in content["gaps"]] == [(0, 5, False)]
    readable = Path(content["file"]).with_suffix(".txt").read_text()
    assert "UNEXPLAINED" in readable
    assert json.loads(Path(content["file"]).read_text())["verdict"] == "gap"
    assert os.path.commonpath([content["file"], str(home)]) == str(home)
