"""The history under a newer schema: fields appear, nothing moves backwards, nothing is counted twice."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("backfill_kit", Path(__file__).with_name("fleet_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)


@pytest.fixture
def fleet(tmp_path):
    """A run under schema 1 that ended; schema 2 is what is installed now."""
    fleet = kit.Fleet(tmp_path)
    site = tmp_path / "ping-1"
    zipfile.ZipFile(kit.kit.ping_wheel(tmp_path / "wheels", 1)).extractall(site)
    path = fleet.environment["PYTHONPATH"]
    fleet.environment["PYTHONPATH"] = os.pathsep.join([str(site), path])
    fleet.alpha(6, codes=",P0300", junk=2)
    fleet.beta(6, codes=["P0420"], junk=1)
    fleet.run("run", "--once")
    fleet.environment["PYTHONPATH"] = path
    yield fleet
    fleet.end()


def backfill(fleet, source="", since="", code=0):
    """Run a backfill as the command does; returns what it told last."""
    folder = fleet.home / "backfill" / f"{source}-{since}"
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fleetflow.jobs.backfill", str(folder), "1", source, str(since)],
        env=fleet.environment,
        cwd=fleet.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def with_codes(fleet):
    return {vin for vin, record in fleet.vehicles().items() if record.get("obd_codes")}


def test_a_backfill_fills_what_was_not_read_and_leaves_the_rest(fleet):
    before, rejects, counts = fleet.vehicles(), fleet.rejects(), fleet.counts()
    assert with_codes(fleet) == set()

    # only one source, and only its newest pings: ALPHA2 has the newest one
    newest = before["ALPHA2"]["time"]
    done = backfill(fleet, "alpha", newest)
    assert (done["read"], done["applied"], done["rejected"], done["done"]) == (8, 1, 2, True)
    assert with_codes(fleet) == {"ALPHA2"}

    done = backfill(fleet)
    assert (done["read"], done["rejected"]) == (15, 3)
    assert with_codes(fleet) == set(before)
    # once more changes nothing
    after = fleet.vehicles()
    assert backfill(fleet, "beta")["applied"] in {0, 3}
    assert {vin: record["obd_codes"] for vin, record in fleet.vehicles().items()} == {
        vin: record["obd_codes"] for vin, record in after.items()
    }
    for vin, record in after.items():
        same = ("time", "sequence", "latitude", "longitude", "source")
        assert [record[name] for name in same] == [before[vin][name] for name in same]
    # neither quarantine nor account saw the history twice
    assert fleet.rejects() == rejects
    assert fleet.counts() == counts


def test_a_source_that_is_not_there_is_named(fleet):
    told = backfill(fleet, "gamma", code=1)
    assert told["error"] == "there is no source gamma"
    assert "alpha, beta" in told["hint"]
