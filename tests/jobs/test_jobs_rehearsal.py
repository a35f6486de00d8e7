"""A new version is tried on copies first, and watched afterwards; the job never pays for it."""

import importlib.util
import json
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("rehearsal_kit", Path(__file__).with_name("fleet_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

CODES = 'Field("obd_codes", pl.List(pl.String()), required=False, default=[])'
FORGETFUL = (CODES, CODES.replace("default=[]", "default=[], csv=False"))
"""Of the same columns, so that no check of schemas can refuse it; reads no codes from files."""
STRICT = (
    'Field("sequence", pl.Int64(), csv=False)',
    'Field("sequence", pl.Int64(), csv=False), Field("fuel", pl.Float64())',
)
"""Asks for a field that no vendor sends: every record is malformed."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    fleet = kit.Fleet(tmp_path_factory.mktemp("packages"))
    made = {}
    for name, version, change in (
        ("one", 1, ("", "")),
        ("two", 2, ("", "")),
        ("forgetful", 2, FORGETFUL),
        ("strict", 2, STRICT),
    ):
        file = kit.kit.ping_wheel(fleet.home / "wheels", version, *change)
        fleet.run("package", "-o", fleet.home / f"{name}.zip", file)
        made[name] = fleet.home / f"{name}.zip"
    fleet.end()
    return made


@pytest.fixture
def fleet(tmp_path):
    fleet = kit.Fleet(tmp_path)
    # a savepoint of a live job is as old as its last snapshot: then there is something to read again
    fleet.environment["FLEETFLOW_RECOVERY_SNAPSHOT_S"] = "2"
    yield fleet
    fleet.end()


def rehearse(fleet, package, *more, code=0):
    """Rehearse with pings coming meanwhile: what a rehearsal reads was not there when it began."""
    fleet.alpha(20, codes=",P0300 P0301")
    fleet.beta(20, codes=["P0420"])
    return fleet.run("upgrade", "trucks", package, "--watch", "0.2", "--json", *more, code=code)


@pytest.mark.timeout(300)
def test_a_rehearsal_shows_what_changes_and_touches_nothing(fleet, packages):
    fleet.alpha(10)
    fleet.beta(10)
    fleet.run("submit", packages["one"], "-n", "trucks", "-w", "1")
    fleet.until_read(20)
    (report,) = [json.loads(rehearse(fleet, packages["two"], "--rehearse-only"))]
    fleet.until_read(60)
    rehearsed = report["rehearsal"]
    assert rehearsed["lost"] == []
    if rehearsed["records"]["before"]:
        assert rehearsed["fields"]["obd_codes"]["appears"] > 0
        assert rehearsed["fields"]["latitude"]["differs"] == 0
    # the job is what it was, and everything was accounted for once
    assert fleet.json("list-jobs")[0]["schema"] == "ping 1"
    assert {name: each.read for name, each in fleet.counts().items()} == {"alpha": 30, "beta": 30}
    assert all("obd_codes" not in record for record in fleet.vehicles().values())
    assert not list((fleet.home / "jobs/trucks").glob(".rehearsal-*"))
    done = json.loads(rehearse(fleet, packages["two"], "--rehearse"))
    assert fleet.json("list-jobs")[0]["schema"] == "ping 2"
    assert Path(done["certificate"]).is_file()
    fleet.until_read(100)

    # a version that would forget a field is refused, with the job still running
    before = fleet.status()
    text = rehearse(fleet, packages["forgetful"], "--rehearse", "--rehearse-wait", "30", code=5)
    if "disappears" not in text:
        pytest.fail(f"the loss was not found: {text}")
    assert "the field obd_codes disappears from" in text
    assert fleet.status() == before
    fleet.until_read(140)
    fleet.run("cancel", "trucks")
    assert fleet.audit("trucks", "--verify")["verification"]["problems"] == []


@pytest.mark.timeout(300)
def test_a_version_that_rejects_more_is_undone_and_no_ping_is_lost(fleet, packages):
    fleet.alpha(30, junk=1)
    fleet.beta(30)
    fleet.run("submit", packages["two"], "-n", "trucks", "-w", "1")
    fleet.until_read(61)
    fleet.run("suspend", "trucks")
    fleet.alpha(30)
    fleet.beta(30)
    text = fleet.run("upgrade", "trucks", packages["strict"], "--watch", "60", code=6)
    assert "was undone" in text
    assert "records were rejected" in text
    fleet.until_read(121)
    assert fleet.json("list-jobs")[0]["state"] == "running"
    newest = {record["time"] for record in fleet.vehicles().values()}
    assert max(newest) == fleet.time
    fleet.run("cancel", "trucks")
    counts = fleet.counts()
    assert (counts["alpha"].read, counts["alpha"].quarantined) == (61, 1)
    assert (counts["beta"].read, counts["beta"].quarantined) == (60, 0)
    (undone,) = fleet.certificates()
    assert "records were rejected" in undone["undone"]
    assert undone["verdict"] == "whole"
    found = fleet.audit("trucks", "--verify")["verification"]
    assert found["problems"] == []
    assert [each["amount"] for each in found["not_verifiable"] if each["unit"] == "rejects"]
