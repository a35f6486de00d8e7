"""The tutorial's story with the real commands, wheels and plugins: a new field, and nothing missed."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("tutorial_kit", Path(__file__).with_name("fleet_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

PLUGINS = Path(__file__).parents[2] / "plugins"
SECRET = "Bearer do-not-tell-anyone"


@pytest.fixture
def fleet(tmp_path):
    fleet = kit.Fleet(tmp_path)
    yield fleet
    fleet.end()


def package(fleet, version):
    file = fleet.home / f"ping-{version}.zip"
    fleet.run("package", "-o", file, PLUGINS / f"fleetflow-ping-{version}")
    return file


def codes(fleet, *vins):
    return [fleet.vehicles()[vin].get("obd_codes") for vin in vins]


@pytest.mark.timeout(300)
def test_a_new_field_comes_into_a_running_job_and_not_one_ping_is_missed(fleet):  # noqa: PLR0915 - one story
    one, two = package(fleet, 1), package(fleet, 2)
    fleet.environment["FLEETFLOW_BETA_AUTHORIZATION"] = SECRET
    fleet.alpha(30, codes=",P0300")
    fleet.beta(30, codes=["P0420"])
    printed = [fleet.run("submit", one, "-n", "trucks", "-w", "1")]
    fleet.until_read(60)
    assert all("obd_codes" not in record for record in fleet.vehicles().values())
    assert set(fleet.vehicles()) == {*(f"ALPHA{n}" for n in range(3)), *(f"BETA{n}" for n in range(3))}

    # version 1 ends with a savepoint, and pings go on arriving at both sources
    fleet.run("save-snapshot", "-C", "trucks", "before")
    fleet.alpha(30, codes=",P0301", vehicles=2)
    fleet.beta(30, codes=["P0421"], vehicles=2)
    findings = {(each["grade"], each["subject"]) for each in fleet.json("check", "-s", "before", two)}
    assert ("defaulted", "field obd_codes") in findings

    # version 2 goes on from the savepoint
    printed.append(fleet.run("submit", two, "-n", "trucks", "-s", "before", "-w", "1"))
    fleet.until_read(120)
    added = re.findall(r"Added (\d+) pings\. Highest sequence number is: (\d+)", fleet.log())
    assert added[-1:] == [("30", "59")], "all that came meanwhile was in the first page"
    assert codes(fleet, "ALPHA0", "ALPHA1") == [["P0301"]] * 2
    assert codes(fleet, "BETA0", "BETA1") == [["P0421"]] * 2

    # what was read before the upgrade has no codes, until the history is read again
    assert codes(fleet, "ALPHA2", "BETA2") == [[], []] or codes(fleet, "ALPHA2", "BETA2") == [None, None]
    before = fleet.vehicles()
    audit = fleet.audit("trucks", "--verify")
    assert audit["verdict"] == "whole"
    assert audit["gaps"] == []
    assert audit["verification"]["problems"] == []
    assert audit["verification"]["map"]["without a newer field"] == 2
    read = {name: source["counts"]["after"]["read"] for name, source in audit["sources"].items()}
    assert read == {"alpha": 60, "beta": 60}
    done = fleet.json("backfill", "trucks")[-1]
    assert (done["read"], done["done"]) == (120, True)
    assert codes(fleet, "ALPHA2", "BETA2") == [["P0300"], ["P0420"]]
    for vin, record in fleet.vehicles().items():
        assert (record["time"], record["sequence"]) == (before[vin]["time"], before[vin]["sequence"])
    # the account did not see the history twice
    again = fleet.audit("trucks", "--verify")
    assert {n: s["counts"]["after"]["read"] for n, s in again["sources"].items()} == read
    assert again["verification"]["map"]["without a newer field"] == 0

    # back to version 1 by an upgrade and its rollback: the records keep their codes
    fleet.run("upgrade", "trucks", one, "--accept-lossy", "--watch", "0.2")
    fleet.alpha(3)
    fleet.beta(3)
    fleet.until_read(126)
    assert [fleet.vehicles()[f"{kind}2"]["time"] for kind in ("ALPHA", "BETA")] == [
        fleet.time - 3,
        fleet.time,
    ]
    stored = [fleet.vehicles()[vin] for vin in ("ALPHA2", "BETA2")]
    assert [record["obd_codes"] for record in stored] == [["P0300"], ["P0420"]]
    printed.append(fleet.run("rollback", "trucks", "--watch", "0.2"))
    assert "never upgraded" in fleet.run("rollback", "trucks", code=1)
    upgrade, rollback = [each for each in fleet.certificates() if each["kind"] != "audit"]
    for content in (upgrade, rollback):
        assert content["verdict"] == "whole"
        assert content["gaps"] == []
        assert set(content["sources"]) >= {"alpha", "beta"}
        assert 0 < content["downtime_ms"] < 60_000
        assert content["positions"]["fleetflow.read_alpha"]["alpha-00"]["sha256"]
    assert upgrade["versions"]["before"]["schema"]["version"] == 2
    assert upgrade["versions"]["after"]["schema"]["version"] == 1
    assert rollback["sources"]["beta"]["partitions"]["beta-0"][fleet.service.url]["before"][0]["end"] == 63

    # what the savepoint between the versions has is what the ledger had read by then
    stored = rollback["positions"]["fleetflow.read_beta"]["beta-0"]["position"]["urls"]
    assert stored[fleet.service.url]["since"] == 62

    fleet.run("cancel", "trucks")
    assert "starts from the beginning" in warning(fleet, two)
    # the secret is in job.json, which only its user can read, and nowhere else
    job = fleet.home / "jobs" / "trucks" / "job.json"
    assert SECRET in job.read_text()
    assert job.stat().st_mode & 0o077 == 0
    told = [*printed, *(fleet.run(*words) for words in (("list-jobs", "-a", "--json"), ("logs", "trucks")))]
    assert SECRET not in "".join([*told, fleet.run("cluster", "--json"), json.dumps(fleet.certificates())])
    for path in fleet.home.rglob("*.json"):
        assert path == job or path.name == "job.json" or SECRET not in path.read_text(), path


def warning(fleet, file):
    """Return what is said when a cancelled job is submitted again without a savepoint."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-P", "-m", "fleetflow", "submit", str(file), "-n", "trucks", "-w", "1"],
        env=fleet.environment,
        cwd=fleet.home,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    fleet.run("cancel", "trucks")
    return done.stderr
