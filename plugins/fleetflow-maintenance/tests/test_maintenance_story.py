"""The detector and the batch command in real jobs: killed and rescaled, and beside each other."""

import json

import pytest
from maintenance_reference import Reference

from fleetflow.testing.buses import as_alpha
from fleetflow.testing.home import Home

WINDOW_S = 15_000
VEHICLES = 30
START = 1_700_000_000


def made_up():
    """One file per vehicle, with codes that come and go, and late and repeated pings."""
    files = {}
    for vehicle in range(VEHICLES):
        lines = []
        for number in range(60):
            codes = []
            if number // 4 % 3 == vehicle % 3:
                codes.append("P0171")
            if vehicle % 5 == 0 and number > 40:
                codes.append("P0524")
            lines.append(f"V{vehicle:03},32.9,-96.9,{START + 600 * number},{' '.join(codes)}\n")
        lines[40:40] = lines[25:32]
        files[f"V{vehicle:03}.csv"] = lines
    return files


def reference_of(files):
    reference = Reference(window_s=WINDOW_S)
    for lines in files.values():
        at = 0
        for line in lines:
            vin, _, _, when, codes = line.rstrip("\n").split(",")
            reference.ping(vin, codes.split(), float(when), at)
            at += len(line)
    return reference


def home(folder):
    """A job with the detector, notices and a register."""
    job = Home(folder, on=["maintenance"], maintenance={"repeat_s": WINDOW_S})
    (job.folder / "vehicles.csv").write_text(
        "vin,year,make,model\n"
        + "".join(
            f"V{n:03},{2015 + n % 3},{'Ford' if n % 2 else 'Dodge'},{'F-150' if n % 2 else 'Ram'}\n"
            for n in range(VEHICLES)
        )
        + "NEVER,2015,Ford,F-150\n"
    )
    (job.folder / "data/notices.csv").write_text("R1,2015,ford,f - 150,check the brakes\nR2,,DODGE,,\n")
    assert "31 vehicles" in job.command("maintenance", "import", "vehicles.csv")
    return job


def pairs():
    """Which vehicles the two notices affect."""
    return {("R1", f"V{n:03}") for n in range(VEHICLES) if n % 2 and n % 3 == 0} | {
        ("R2", f"V{n:03}") for n in range(VEHICLES) if n % 2 == 0
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nobody disturbs."""
    job = home(tmp_path_factory.mktemp("calm"))
    job.write(made_up())
    job.once("-w", "1")
    return job


def test_events_are_those_of_the_reference_and_stand_on_the_vehicle(calm):
    events = calm.events().values()
    reference = reference_of(made_up())
    faults = [(e["vin"], e["data"]["code"], e["time"]) for e in events if e["kind"] == "fault"]
    assert sorted(faults) == sorted(reference.appeared)
    due = [e for e in events if e["kind"] == "maintenance"]
    repeated = [
        (e["vin"], e["data"]["code"], tuple(e["data"]["times"]))
        for e in due
        if e["data"]["reason"] == "repeated"
    ]
    assert sorted(repeated) == sorted(reference.repeated)
    assert len(repeated) >= VEHICLES
    assert {(e["data"]["number"], e["vin"]) for e in due if e["data"]["reason"] == "notice"} == pairs()
    assert {e["severity"] for e in events if e["kind"] == "fault"} == {"info", "critical"}
    records = {row["vin"]: row for row in calm.rows("vehicles", "list")}
    assert records["V002"]["status"] == "MAINTENANCE"
    assert records["V002"]["obd_codes"] == made_up()["V002.csv"][-1].rstrip("\n").split(",")[4].split()


def test_kill_and_rescale_in_the_middle_end_with_the_same_events(calm, tmp_path):
    files = made_up()
    job = home(tmp_path)
    job.write(files, slice(30))
    job.killed_when(job.events, lambda: job.write(files, slice(30, None)), "-w", "1")
    job.once("-w", "3")
    assert job.events() == calm.events()


def test_batch_after_the_job_keeps_only_what_no_ping_brought(calm):
    rows = calm.rows("maintenance", "run")
    assert {(row["number"], row["vin"]) for row in rows} == pairs() | {("R1", "NEVER")}
    assert [row["vin"] for row in rows if row["new"]] == ["NEVER"]
    table = calm.command("maintenance", "run")
    assert "2 notices affect 21 vehicles, 0 of 21 pairs are new" in table
    assert "check the brakes" in table


def test_job_after_the_batch_adds_no_notice(calm, tmp_path):
    job = home(tmp_path)
    assert all(row["new"] for row in job.rows("maintenance", "run", "--notices", "data/notices.csv"))
    before = job.events()
    assert len(before) == len(pairs()) + 1
    job.write(made_up())
    job.once("-w", "2")
    after = job.events()
    assert {key: after[key] for key in before} == before
    assert after.keys() == calm.events().keys() | {"notice:R1:NEVER"}


def test_each_bus_of_real_days_is_told_its_notice_once(tmp_path, bus_days):
    buses = {row.bus for row in bus_days}
    seen = {row.bus for row in bus_days if row.place is not None}
    affected = {bus for bus in seen if int(bus) % 2}
    job = Home(tmp_path, on=["maintenance"])
    (job.folder / "buses.csv").write_text(
        "vin,year,make,model\n"
        + "".join(
            f"{bus},2012,{'Gillig' if int(bus) % 2 else 'New Flyer'},Low Floor\n" for bus in sorted(buses)
        )
    )
    (job.folder / "data").mkdir(exist_ok=True)
    (job.folder / "data/notices.csv").write_text("G7,2012,gillig,low floor,check the ramp\n")
    job.command("maintenance", "import", "buses.csv")
    job.write(as_alpha(bus_days, by_day=False))
    job.once("-w", "2")
    told = [(event["kind"], event["data"]["number"], event["vin"]) for event in job.events().values()]
    assert len(affected) > 50
    assert sorted(told) == sorted(("maintenance", "G7", bus) for bus in affected)
    assert job.account()["read"] == len(bus_days)


def test_batch_refuses_bad_rows_before_it_does_anything(tmp_path):
    job = Home(tmp_path, on=["maintenance"])
    (tmp_path / "bad.csv").write_text("R1,2015,Ford,,\nR2,soon,Ford,,\n")
    for arguments, words in (
        (["--notices", "bad.csv"], "line 2 has 'soon' as its year"),
        ([], "notices.csv does not exist"),
    ):
        assert words in job.refused("maintenance", "run", *arguments)
    assert not (tmp_path / "data/events").exists()


def test_done_takes_maintenance_off_a_vehicle(calm):
    out = calm.command("maintenance", "done", "V002")
    assert out == "V002 is done\n"
    record = json.loads(calm.command("vehicles", "get", "V002", "--json"))
    assert {"maintenance", "status", "note"} & record.keys() == set()
    assert calm.command("maintenance", "done", "V002") == "V002 had nothing to do\n"
