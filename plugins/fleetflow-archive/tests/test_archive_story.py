"""Real jobs: killed, resumed on other numbers of workers and processes, compared with their input."""

import csv
import io
import random
import shlex
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

DAYS = Path(__file__).parents[4] / "shared/data/capmetro"
GUIDE = Path(__file__).parents[3] / "docs/how-to/history.md"
START = 1_700_000_000


def lines(vehicles, pings, first=0):
    """Return per vehicle lines of alpha: valid ones, ones of the same time, late ones, and bad ones."""
    files = {}
    for vehicle in range(vehicles):
        text = []
        for number in range(first, first + pings):
            late = 86_400 * (number % 11 == 5)
            text.append(f"V{vehicle:03d},{30 + number / 1e4},{-97.5},{START + number - late},P0171\n")
            if number % 13 == 7:
                text.append(text[-1])
            if number % 17 == 3:
                text.append(f"V{vehicle:03d},no latitude,{-97.5},{START + number}\n")
        files[f"V{vehicle:03d}.csv"] = text
    return files


def valid(files):
    """Return the multiset of pings of whole files: vehicle, time, place in the file, position."""
    found = Counter()
    for content in files.values():
        offset = 0
        for line in content:
            vin, latitude, longitude, when, *_ = line.rstrip("\n").split(",")
            try:
                position = float(latitude), float(longitude)
            except ValueError:
                position = None
            if position is not None and position != (0.0, 0.0) and vin:
                found[vin, float(when), offset, *position] += 1
            offset += len(line.encode())
    return found


def counted(pings):
    return Counter(pings.select("vin", "time", "sequence", "latitude", "longitude").iter_rows())


def test_kills_and_other_numbers_of_workers_archive_each_ping_once(job):
    chance = random.Random(7)
    written = {name: [] for name in lines(12, 1)}
    settings = [(1, 1), (2, 1), (1, 2)]
    for round_, (workers, processes) in enumerate(settings):
        more = lines(12, 400, first=400 * round_)
        seen = job.archived().height
        extra = chance.uniform(0, 1.2)
        arrived = []

        def until(seen=seen, extra=extra, arrived=arrived):
            # somewhere within an epoch or its end, after something new was archived
            if not arrived and job.archived().height > seen:
                arrived.append(time.monotonic())
            return bool(arrived) and time.monotonic() - arrived[0] > extra

        for name, content in more.items():
            written[name] += content
        job.write(more)
        job.run_and_kill(until, workers, processes)
        assert not counted(job.archived()) - valid(written)
    last = lines(12, 50, first=1200)
    for name, content in last.items():
        written[name] += content
    job.write(last)
    job.run(2, FLEETFLOW_FLOW_BATCH_BYTES="4096")
    assert counted(job.archived()) == valid(written)
    (stat,) = job.json("archive", "stat")
    # more when the first kill came before the first snapshot was durable: then there are two logs
    assert stat["pings"] == valid(written).total() or stat["logs"] > 4
    assert stat["shards"] == 4
    # compacting changes no answer, and the job goes on from where it was
    job.command("archive", "compact")
    assert counted(job.archived()) == valid(written)
    job.run()
    assert counted(job.archived()) == valid(written)


def test_fleet_at_a_time_is_what_a_run_up_to_that_time_gives(job, tmp_path):
    everything = lines(9, 120)
    job.write(everything)
    job.run()
    moment = START + 60.0
    other = type(job)(tmp_path / "other")
    (tmp_path / "other").mkdir()
    # lines keep their places in the files, which are their sequences: those that are too new become bad
    other.write(
        {
            name: [
                line if float(line.split(",")[3]) <= moment else "x" * (len(line) - 1) + "\n" for line in text
            ]
            for name, text in everything.items()
        }
    )
    other.run()
    fresh = [
        {name: value for name, value in record.items() if name != "received_at"}
        for record in other.json("vehicles", "list")
    ]
    assert len(fresh) == 9
    replayed = job.json("replay", "--at", str(moment))
    assert [{k: v for k, v in record.items() if k != "received_at"} for record in replayed] == fresh
    assert [r["vin"] for r in job.archive.at(moment)] == [r["vin"] for r in fresh]
    assert job.json("replay", "--at", str(START - 90_000)) == []


def test_commands_show_the_same_pings(job):
    job.write({"V1.csv": [f"V1,{30 + n / 10},-97.5,{START + n},P0171 P0300\n" for n in range(5)]})
    job.run()
    trail = job.json("trail", "V1", "--since", str(START + 1), "--until", "2023-11-14T22:13:23Z")
    assert [record["time"] for record in trail] == [START + 1, START + 2, START + 3]
    assert trail[0]["obd_codes"] == ["P0171", "P0300"]
    rows = list(csv.DictReader(io.StringIO(job.command("trail", "V1", "--limit", "2", "--csv"))))
    assert [(row["latitude"], row["obd_codes"]) for row in rows] == [
        ("30.3", '["P0171","P0300"]'),
        ("30.4", '["P0171","P0300"]'),
    ]
    assert "2023-11-14 22:13:20.000" in job.command("trail", "V1")
    assert "no pings of V2" in job.command("trail", "V2")
    played = job.json("replay", "--from", str(START + 1), "--speed", "1000")
    assert [record["time"] for record in played] == [START + n for n in range(1, 5)]
    files = job.command("archive", "files").splitlines()
    assert sum(pl.read_parquet(file, hive_partitioning=False).height for file in files) == 5
    assert "pings" in job.command("archive", "stat")
    for line in GUIDE.read_text("utf-8").splitlines():
        words = shlex.split(line, comments=True) if line.startswith("fleetflow ") else []
        words = words[: words.index(">")] if ">" in words else words
        if words and words[1] != "run":
            assert "error" not in job.command(*words[1:])


@pytest.mark.skipif(not DAYS.is_dir(), reason="the real bus days (../shared/data/capmetro) are not here")
def test_archive_of_real_bus_days_is_what_duckdb_finds_in_the_files(job):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is the independent reader")
    files = {}
    for day in sorted(DAYS.glob("*.csv")):
        with day.open(newline="") as file:
            for row in csv.DictReader(file):
                when = datetime.fromisoformat(row["timestamp"]).timestamp()
                line = f"{row['vehicle_id']},{row['latitude']},{row['longitude']},{when}\n"
                files.setdefault(f"{row['vehicle_id']}-{day.stem}.csv", []).append(line)
    job.write(files)
    job.run(2)
    expected = duckdb.execute(
        "select vehicle_id::varchar, epoch(timestamp::timestamptz), latitude::double, longitude::double"
        f" from read_csv('{DAYS}/*.csv', all_varchar = true, header = true)"
        " where try_cast(latitude as double) between -90 and 90 and try_cast(longitude as double)"
        " between -180 and 180 and not (latitude::double = 0 and longitude::double = 0)"
    ).fetchall()
    assert len(expected) > 10_000
    found = job.archived().select("vin", "time", "latitude", "longitude")
    assert Counter(found.iter_rows()) == Counter(expected)
    paths = job.command("archive", "files").splitlines()
    assert {Path(path).parent.name for path in paths} >= {"day=2015-03-18", "day=2016-05-30"}
