"""The detector in real jobs: killed and rescaled, added and removed, and on days without a crash."""

import json

import pytest

from fleetflow.testing.buses import as_alpha
from fleetflow.testing.home import Home


def home(folder):
    return Home(folder, on=["crash"], events={"file": "told.jsonl"}, log={"level": "INFO"})


VEHICLES, PINGS = 40, 60
CRASHED = range(10)


def files():
    """Vehicles 0 to 9 crash after a third: the odd ones send the code on, the even ones stop and get well."""
    made = {}
    for vehicle in range(VEHICLES):
        lines = []
        for number in range(PINGS):
            bad = vehicle in CRASHED and 20 <= number < (PINGS if vehicle % 2 else 25)
            codes = ",P0300 B0001" if bad else ",P0300" if number % 3 else ""
            lines.append(f"VIN{vehicle:03},32.9,-96.9,{1_700_000_000 + 60 * number}{codes}\n")
        # repeated and late ones
        lines[30:30] = lines[20:28]
        made[f"VIN{vehicle:03}.csv"] = lines
    return made


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nobody disturbs."""
    job = home(tmp_path_factory.mktemp("calm"))
    job.write(files())
    job.log = job.once("-w", "1")
    return job


def test_each_crash_is_told_once_and_stands_on_the_vehicle(calm):
    found = calm.events().values()
    crashes = sorted(event["vin"] for event in found if event["kind"] == "crash")
    assert crashes == [f"VIN{vehicle:03}" for vehicle in CRASHED]
    cleared = sorted(event["vin"] for event in found if event["kind"] == "crash_cleared")
    assert cleared == [f"VIN{vehicle:03}" for vehicle in CRASHED if vehicle % 2 == 0]
    lasting = [vin for vin in crashes if vin not in cleared]
    assert [record["vin"] for record in calm.rows("crash", "list")] == lasting
    records = {record["vin"]: record for record in calm.rows("vehicles", "list")}
    for vin, record in records.items():
        assert record["time"] == 1_700_000_000 + 60 * (PINGS - 1)
        assert record.get("status") == ("CRASHED" if vin in lasting else None)
        assert record.get("note") == ("help dispatched from Dallas, TX" if vin in lasting else None)
    for vin in crashes:
        line = f"CRASH DETECTED: {vin} HELP DISPATCHED FROM: Dallas"
        (logged,) = [each for each in calm.log.splitlines() if each.endswith(line)]
        assert logged.split()[1] == "WARNING"
    told = [json.loads(line)["id"] for line in (calm.folder / "told.jsonl").read_text().splitlines()]
    assert sorted(told) == sorted(calm.events())


def test_reading_all_of_it_again_tells_nothing_again(calm):
    before = calm.events()
    calm.environment["FLEETFLOW_RECOVERY_DIR"] = "another"
    try:
        assert "CRASH" not in calm.once("-w", "2")
    finally:
        del calm.environment["FLEETFLOW_RECOVERY_DIR"]
    assert calm.events() == before


def test_kill_and_rescale_in_the_middle_end_with_the_same_events(calm, tmp_path):
    job = home(tmp_path)
    job.write(files(), slice(25))
    job.killed_when(job.told, lambda: job.write(files(), slice(25, None)), "-w", "1")
    job.once("-w", "2")
    assert job.events() == calm.events()
    told = [json.loads(line)["id"] for line in (job.folder / "told.jsonl").read_text().splitlines()]
    assert set(told) == set(job.events())
    assert job.rows("vehicles", "list")[0].keys() == calm.rows("vehicles", "list")[0].keys()


def test_clear_takes_status_and_note_away_and_leaves_the_event(calm):
    assert "CRASHED" not in calm.refused("crash", "clear", "VIN000").partition("not CRASHED")[0]
    assert "there is no vehicle" in calm.refused("crash", "clear", "nobody")
    assert calm.command("crash", "clear", "VIN001") == "VIN001 cleared\n"
    record = json.loads(calm.command("vehicles", "get", "VIN001", "--json"))
    assert "status" not in record
    assert "note" not in record
    assert "VIN001" not in calm.command("crash", "list")
    assert len(calm.rows("events", "list", "--vin", "VIN001", "--kind", "crash")) == 1


def test_on_real_days_without_a_code_nothing_happens_and_nothing_is_lost(tmp_path, bus_days):
    job = home(tmp_path)
    job.write(as_alpha(bus_days))
    job.once("-w", "2")
    assert job.events() == {}
    assert job.account()["read"] == len(bus_days)
