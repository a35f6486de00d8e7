"""A new version is tried on copies first, and watched afterwards; the job never pays for it."""

import importlib.util
import json
import threading
from pathlib import Path

import pytest

from fleetflow.jobs.package import build

SPEC = importlib.util.spec_from_file_location("rehearsal_kit", Path(__file__).with_name("fleet_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

FORGETFUL = (
    'return FieldsSchema("ping", 2, FIELDS)',
    """from dataclasses import replace

    class Forgetful(FieldsSchema):
        def decode(self, payloads):
            decoded = super().decode(payloads)
            empty = pl.lit([], dtype=pl.List(pl.String())).alias("obd_codes")
            return replace(decoded, pings=decoded.pings.with_columns(empty))

    return Forgetful("ping", 2, FIELDS)""",
)
"""Of the same columns, so that no check of schemas can refuse it; every field of codes is empty."""
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
        build(fleet.home / f"{name}.zip", [file], None)
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
    """Rehearse while pings go on coming; returns what was printed, and how many came at each source."""
    over, sent = threading.Event(), 0

    def feed():
        nonlocal sent
        while not over.wait(0.2):
            fleet.alpha(3, codes=",P0300 P0301")
            fleet.beta(3, codes=["P0420"])
            sent += 3

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return fleet.run("upgrade", "trucks", package, "--watch", "0", "--json", *more, code=code), sent
    finally:
        over.set()
        feeder.join()


@pytest.mark.timeout(300)
def test_a_rehearsal_shows_what_changes_and_touches_nothing(fleet, packages):
    fleet.alpha(10)
    fleet.beta(10)
    fleet.run("submit", packages["one"], "-n", "trucks", "-w", "1")
    fleet.until_read(20)
    printed, _ = rehearse(fleet, packages["two"], "--rehearse-only")
    rehearsed = json.loads(printed)["rehearsal"]
    assert rehearsed["stretch"] == "since the last snapshot"
    assert rehearsed["lost"] == []
    assert rehearsed["records"]["before"] > 0
    assert rehearsed["fields"]["obd_codes"]["appears"] > 0
    assert rehearsed["fields"]["latitude"] == {"appears": 0, "disappears": 0, "differs": 0, "examples": []}
    # the job is what it was
    assert fleet.json("list-jobs")[0]["schema"] == "ping 1"
    assert not list((fleet.home / "jobs/trucks").glob(".rehearsal-*"))
    assert not list((fleet.home / "jobs/trucks/env").glob("release-2"))

    # nothing comes any more: the history is rehearsed
    done = fleet.json(
        "upgrade", "trucks", packages["two"], "--rehearse", "--rehearse-wait", "0", "--watch", "0"
    )[0]
    assert fleet.json("list-jobs")[0]["schema"] == "ping 2"
    assert done["rehearsal"]["records"]["before"] > 0
    assert Path(done["certificate"]).is_file()

    # a version that would forget a field is refused, with the job still running
    before = fleet.status()
    text, _ = rehearse(fleet, packages["forgetful"], "--rehearse", code=5)
    assert "the field obd_codes disappears from" in text
    assert {k: fleet.status()[k] for k in ("pid", "run", "since")} == {
        k: before[k] for k in ("pid", "run", "since")
    }
    read = sum(path.read_text().count("\n") for path in fleet.alpha_folder.glob("*.csv"))
    fleet.until_read(read + fleet.service.highest + 1)
    # everything was accounted for once
    fleet.run("cancel", "trucks")
    assert {name: each.read for name, each in fleet.counts().items()} == {
        "alpha": read,
        "beta": fleet.service.highest + 1,
    }
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
