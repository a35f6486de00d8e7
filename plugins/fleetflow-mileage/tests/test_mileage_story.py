"""The detector in real jobs: killed and rescaled, on real bus days, and without a recovery store."""

import math
import random
from pathlib import Path

import pytest
from fleetflow_mileage.table import MileageReader, MileageTable
from mileage_reference import Reference

from fleetflow.testing.buses import as_alpha
from fleetflow.testing.home import Home

DAYS = Path(__file__).parents[4] / "shared/data/capmetro"
ZONE = "America/Chicago"


class Job(Home):
    """With the detector mileage, and its table."""

    def __init__(self, folder, **settings):
        super().__init__(folder, on=["mileage"], mileage={"time_zone": ZONE, **settings})

    def mileage(self):
        return {(row.vin, row.day): row.km for row in MileageReader(self.folder / "data/mileage").rows()}


def reference_of(files, **options):
    """Return the reference after all valid lines of one file per vehicle."""
    reference = Reference(time_zone=ZONE, **options)
    for lines in files.values():
        for line in lines:
            vin, *numbers = line.rstrip("\n").split(",")
            latitude, longitude, when = (float(text) if text else math.nan for text in numbers)
            if (latitude, longitude) != (0.0, 0.0):
                reference.ping(vin, latitude, longitude, when)
    return reference


def in_km(reference):
    return {key: pytest.approx(metres / 1000, abs=0.001) for key, metres in reference.metres.items()}


def made_up():
    """Vehicles that drive over a midnight at which clocks change, with late, repeated and wrong fixes."""
    files = {}
    for vehicle in range(24):
        chance, lines, at = random.Random(vehicle), [], [41.0, -87.0 + vehicle / 100]
        for number in range(200):
            at = [at[0] + chance.choice([0, 0.00005, 0.0002, 0.004]), at[1]]
            wrong = chance.random() < 0.03
            when = 1_793_494_800 + 120 * number - (300 if chance.random() < 0.05 else 0)
            lines.append(f"V{vehicle:03},{at[0] + wrong:.6f},{at[1]:.6f},{when}\n")
        lines[120:120] = lines[90:110]
        files[f"V{vehicle:03}.csv"] = lines
    return files


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A run that nobody disturbs."""
    job = Job(tmp_path_factory.mktemp("calm"), limit_km=9.9)
    job.write(made_up())
    job.once("-w", "1")
    return job


def test_distances_and_events_are_those_of_the_reference(calm):
    reference = reference_of(made_up(), limit_m=9_900)
    assert len({day for _, day in reference.metres}) == 2
    assert calm.mileage() == in_km(reference)
    found = sorted((e["vin"], e["data"]["day"], e["time"]) for e in calm.events().values())
    assert found == sorted(reference.reached)
    assert len(found) > 24
    records = {row["vin"]: row for row in calm.rows("vehicles", "list")}
    vin, day, _ = max(reference.reached, key=lambda each: (each[0], each[2]))
    assert records[vin]["mileage_day"] == day
    assert records[vin]["mileage_km"] >= 9.9


def test_kill_and_rescale_in_the_middle_end_with_the_same_events_and_distances(calm, tmp_path):
    files = made_up()
    job = Job(tmp_path, limit_km=9.9)
    job.write(files, slice(100))
    job.killed_when(job.mileage, lambda: job.write(files, slice(100, None)), "-w", "1")
    job.once("-w", "3")
    assert job.mileage() == calm.mileage(), "to the millimetre"
    assert job.events() == calm.events()


def test_reading_all_of_it_again_changes_nothing(calm):
    before = calm.mileage(), calm.events()
    calm.environment["FLEETFLOW_RECOVERY_DIR"] = "another"
    try:
        calm.once("-w", "2")
    finally:
        del calm.environment["FLEETFLOW_RECOVERY_DIR"]
    assert (calm.mileage(), calm.events()) == before


def test_list_chooses_by_day_and_vehicle(calm):
    everything = calm.rows("mileage", "list")
    assert everything == sorted(everything, key=lambda row: (-int(row["day"].replace("-", "")), row["vin"]))
    some = calm.rows("mileage", "list", "--day", "2026-11-01", "--vin", "V001")
    assert some == [row for row in everything if row["day"] == "2026-11-01" and row["vin"] == "V001"]
    assert len(some) == 1
    assert "V001" in calm.command("mileage", "list")


def test_distances_are_kept_without_a_recovery_store(tmp_path):
    job = Job(tmp_path)
    job.write(made_up())
    job.environment["FLEETFLOW_ONCE"] = "1"
    job.run("bytewax.run", "fleetflow:flow")
    assert job.mileage() == in_km(reference_of(made_up()))


def test_table_keeps_the_newest_days_and_takes_a_row_twice(tmp_path):
    table, reader = MileageTable(tmp_path, keep_days=2), MileageReader(tmp_path)
    assert list(reader.rows()) == []
    table.put([("A", "2026-01-01", 1), ("A", "2026-01-02", 2_000_000), ("B", "2026-01-02", 3)])
    table.put([("A", "2026-01-02", 2_500_000)])
    assert [(row.vin, row.day, row.km) for row in reader.rows(vin="A")] == [
        ("A", "2026-01-02", 2.5),
        ("A", "2026-01-01", 1e-6),
    ]
    table.put([("A", "2026-01-03", 4)])
    assert {row.day for row in reader.rows()} == {"2026-01-02", "2026-01-03"}


KMH = {"2015-03-18": 1.609344, "2016-05-30": 3.6}
"""Of the column speed: miles per hour on the first day, metres per second on the second one."""


def test_real_bus_days_in_time_order_give_the_distances_of_duckdb_and_of_reported_speeds(tmp_path, bus_days):
    duckdb = pytest.importorskip("duckdb")
    files = as_alpha(sorted(bus_days, key=lambda row: (row.time, row.bus)), by_day=False)
    job = Job(tmp_path, keep_days=1000)
    job.write(files)
    job.once("-w", "2")
    found = job.mileage()
    assert found == in_km(reference_of(files))
    query = """
        with rows as (
            select distinct on (vin, moment) vehicle_id as vin, epoch(timestamp::timestamptz) as moment,
                radians(latitude) as lat, radians(longitude) as lon, speed,
                filename[-14:-5] as file, timestamp[:10] as day
            from read_csv($files, filename = true, types = {'vehicle_id': 'varchar', 'timestamp': 'varchar'})
            where latitude != 0 order by vin, moment
        ), legs as (
            select *, lead(speed) over bus as next_speed, lead(moment) over bus - moment as pause_s,
                2 * 6371.0088 * asin(sqrt(pow(sin((lat - lag(lat) over bus) / 2), 2) + cos(lat)
                * cos(lag(lat) over bus) * pow(sin((lon - lag(lon) over bus) / 2), 2))) as km,
                (moment - lag(moment) over bus) / 3600 as hours
            from rows window bus as (partition by vin order by moment)
        )
        select file, vin, day, sum(km) filter (km <= 200 * hours),
            sum((speed + next_speed) / 2 * pause_s / 3600) filter (pause_s < 1800)
        from legs group by all
    """
    counted = duckdb.sql(query, params={"files": str(DAYS / "*.csv")}).fetchall()
    kilometres = {(vin, day): km for _, vin, day, km, _ in counted}
    for key, km in found.items():
        # what is left out here is the noise of standing vehicles
        assert km == pytest.approx(kilometres[key], rel=0.02, abs=1), key
    for file, kmh in KMH.items():
        total = sum(found.get((vin, day), 0) for name, vin, day, *_ in counted if name == file)
        reported = sum(kmh * (value or 0) for name, *_, value in counted if name == file)
        print(f"{file}: {total:.0f} km, by the reported speeds {reported:.0f} km")
        # positions are minutes apart: the straight lines between them are shorter than the streets
        assert 0.75 < total / reported < 1


def test_real_bus_days_out_of_time_order_give_the_distances_of_the_reference_also_after_a_kill(
    tmp_path, bus_days
):
    files = as_alpha(bus_days, by_day=False)
    reference = reference_of(files, limit_m=100_000)
    job = Job(tmp_path, limit_km=100, keep_days=1000)
    job.write(files, slice(30))
    job.killed_when(job.mileage, lambda: job.write(files, slice(30, None)), "-w", "1")
    job.once("-w", "2")
    assert job.mileage() == in_km(reference)
    reached = sorted((e["vin"], e["data"]["day"], e["time"]) for e in job.events().values())
    assert reached == sorted(reference.reached)
    assert len(reached) > 10
