"""The writer of alpha files."""

import itertools
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fleetflow_simulate.alpha import AlphaWriter
from fleetflow_simulate.commands import simulate
from fleetflow_simulate.fleet import Fleet
from fleetflow_simulate.misbehave import Misbehaviour
from fleetflow_simulate.pace import stretches
from fleetflow_simulate.roads import distance_km
from fleetflow_simulate.stopping import Stop
from fleetflow_simulate.story import Story, load, save

from fleetflow.errors import FleetflowError

START = 1_767_225_600.0


def run(*arguments):
    result = CliRunner().invoke(simulate, ["alpha", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def write(folder, *arguments):
    command = [
        "alpha",
        "--dir",
        str(folder),
        "--seed",
        "1",
        "--start",
        "2026-01-01",
        "--backfill",
        *arguments,
    ]
    result = CliRunner().invoke(simulate, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_same_seed_and_start_give_the_same_bytes(tmp_path):
    first = write(tmp_path / "a", "--vehicles", "3", "--pings", "300")
    assert first == write(tmp_path / "b", "--vehicles", "3", "--pings", "300")
    assert len(first) == 3
    assert b"".join(first.values()).count(b"\n") == 300
    vin, latitude, longitude, time = next(iter(first.values())).split(b"\n")[0].split(b",")[:4]
    assert len(vin) == 17
    assert 25 < float(latitude) < 50
    assert -106 < float(longitude) < -79
    assert float(time) >= 1_767_225_600


def test_a_second_run_appends(tmp_path):
    first = write(tmp_path, "--vehicles", "2", "--pings", "10")
    both = write(tmp_path, "--vehicles", "2", "--pings", "10", "--start", "2026-01-02")
    assert all(
        both[name].startswith(content) and len(both[name]) > len(content) for name, content in first.items()
    )


def test_files_in_order_of_time(tmp_path):
    files = write(tmp_path, "--vehicles", "20", "--pings", "200", "--files", "4")
    assert len(files) == 4
    for content in files.values():
        times = [float(line.split(b",")[3]) for line in content.splitlines()]
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ("--repeated", lambda lines: len(lines) == 200),
        ("--malformed", lambda lines: all(b"not-a-number" in line for line in lines)),
        ("--zero", lambda lines: all(b",0.0000000,0.0000000," in line for line in lines)),
        (
            "--future",
            lambda lines: min(float(line.split(b",")[3]) for line in lines) >= 1_767_225_600 + 3 * 86_400,
        ),
        ("--late", lambda lines: min(float(line.split(b",")[3]) for line in lines) < 1_767_225_600),
    ],
)
def test_each_misbehaviour_is_seen(tmp_path, option, seen):
    (content,) = write(tmp_path, "--vehicles", "1", "--pings", "100", option, "1").values()
    assert seen(content.splitlines())


def test_half_written_lines_are_finished_by_the_next_write(tmp_path):
    whole = write(tmp_path / "a", "--vehicles", "2", "--pings", "400")
    assert whole == write(tmp_path / "b", "--vehicles", "2", "--pings", "400", "--partial", "1")


def test_backfill_needs_an_end(tmp_path):
    result = CliRunner().invoke(simulate, ["alpha", "--dir", str(tmp_path), "--backfill"])
    assert result.exit_code == 2
    assert "--pings" in result.output


def test_pings_per_vehicle_without_waiting(tmp_path):
    run("--dir", tmp_path, "--vehicles", 4, "--pings-per-vehicle", 7, "--backfill", "--start", "1767225600")
    assert [len(path.read_bytes().splitlines()) for path in tmp_path.iterdir()] == [7] * 4


def test_two_ends_are_refused(tmp_path):
    arguments = ["alpha", "--dir", str(tmp_path), "--pings", "3", "--pings-per-vehicle", "3"]
    result = CliRunner().invoke(simulate, arguments)
    assert result.exit_code == 2
    assert "two ends" in result.output


def test_history_ends_now_unless_told_otherwise(tmp_path):
    before = time.time()
    run("--dir", tmp_path, "--vehicles", 2, "--pings", 400, "--backfill")
    times = [float(line.split(b",")[3]) for path in tmp_path.glob("*.csv") for line in lines_of(path)]
    assert before - 6001 < min(times) < max(times) <= time.time()


def lines_of(path):
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("seed", [[], ["--seed", "3"]])
def test_the_next_run_goes_on_with_the_same_trucks_from_where_they_are(tmp_path, seed):
    common = ["--dir", tmp_path, "--vehicles", 3, "--fault-rate", 0]
    run(*common, "--pings", 30, "--speedup", "max", "--seed", 3)
    first = {path.name: lines_of(path) for path in tmp_path.glob("*.csv")}
    run(*common, "--pings", 30, "--speedup", "max", *seed)
    both = {path.name: lines_of(path) for path in tmp_path.glob("*.csv")}
    assert both.keys() == first.keys()
    for name, lines in both.items():
        assert lines[:10] == first[name]
        fields = np.array([line.split(b",")[1:4] for line in lines], float)
        assert (np.diff(fields[:, 2]) > 0).all()
        km = distance_km(fields[:-1, 0], fields[:-1, 1], fields[1:, 0], fields[1:, 1])
        assert (km / np.diff(fields[:, 2]) * 3600 < 140).all()


def test_a_changed_acceleration_does_not_move_trucks_at_once():
    slow = Story(1, START, 0.0, 2.0, START + 100).continued(START, 5.0)
    assert slow == Story(1, START + 100, 200.0, 5.0, START + 100)
    assert slow.continued(START + 150, 1.0).moment == 450.0


def test_a_damaged_memory_is_told_and_left_aside(tmp_path, caplog):
    path = tmp_path / ".simulate.json"
    assert load(path) is None
    save(path, Story(1, START, 2.0, 3.0, START))
    assert load(path) == Story(1, START, 2.0, 3.0, START)
    path.write_text('{"seed": 1}')
    assert load(path) is None
    assert "start anew" in caplog.text


def test_a_half_line_of_a_killed_run_is_ended_first(tmp_path):
    (path, *_) = [tmp_path / name for name in write(tmp_path, "--vehicles", "1", "--pings", "3")]
    with path.open("ab") as file:
        file.write(b"half a li")
    write(tmp_path, "--vehicles", "1", "--pings", "3")
    lines = lines_of(path)
    assert len(lines) == 7
    assert lines[3] == b"half a li"
    assert lines[4:] == lines[:3]


def test_half_written_lines_are_seen_while_running(tmp_path):
    fleet = Fleet(2, 1, START)
    writer = AlphaWriter(tmp_path, fleet, 1, Misbehaviour(), partial=1.0)
    writer.write(0, 300)
    assert not any(path.read_bytes().endswith(b"\n") for path in tmp_path.iterdir())
    writer.finish()
    assert all(path.read_bytes().endswith(b"\n") for path in tmp_path.iterdir())


def test_codes_are_a_fifth_column_unless_they_are_not_wanted(tmp_path):
    arguments = ("--vehicles", "3", "--pings", "3000", "--fault-rate", "5")
    codes = b"".join(write(tmp_path / "a", *arguments).values())
    assert {line.count(b",") for line in codes.splitlines()} == {3, 4}
    plain = b"".join(write(tmp_path / "b", *arguments, "--no-obd").values())
    assert [line.split(b",")[:4] for line in codes.splitlines()] == [
        line.split(b",") for line in plain.splitlines()
    ]


def test_shards_hold_the_same_pings_as_files_per_vehicle(tmp_path):
    arguments = ("--vehicles", "20", "--pings", "400", "--fault-rate", "5")
    single = b"".join(write(tmp_path / "a", *arguments).values())
    shards = b"".join(write(tmp_path / "b", *arguments, "--files", "3").values())
    assert sorted(single.splitlines()) == sorted(shards.splitlines())


def test_a_stop_is_heeded_within_a_stretch(tmp_path):
    answers = iter([False, False, True])
    writer = AlphaWriter(tmp_path, Fleet(50, 1, START), 1, Misbehaviour(), stopped=lambda: next(answers))
    writer.write(0, 300)
    assert writer.written == 20
    assert len(list(tmp_path.iterdir())) == 2


def test_any_speedup_is_written_in_bounded_stretches():
    class Never:
        def is_set(self):
            return False

        def wait(self, seconds):
            return False

    portions = list(stretches(Never(), 1e15, None, 1_000_000, 1.0, 30))
    assert max(until - since for since, until in portions) <= 100_000
    assert portions[0][0] == 0
    assert portions[-1][1] == 1_000_000
    assert all(a[1] == b[0] for a, b in itertools.pairwise(portions))


def test_a_run_ends_after_the_given_time(tmp_path):
    run("--dir", tmp_path, "--vehicles", 5, "--speedup", 1000, "--for", 0.3, "--seed", 1)
    assert list(tmp_path.glob("*.csv"))


@pytest.mark.parametrize("speedup", ["0", "-1", "nan", "inf", "fast"])
def test_a_speedup_that_is_none_is_refused(tmp_path, speedup):
    result = CliRunner().invoke(simulate, ["alpha", "--dir", str(tmp_path), "--speedup", speedup])
    assert result.exit_code == 2
    assert "expected a number above 0" in result.output


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FleetflowError, match="cannot be written"):
        run("--dir", tmp_path / "file" / "alpha", "--pings", 1, "--start", 0, "--speedup", "max")


def test_signals_do_afterwards_what_they_did_before(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    write(tmp_path, "--vehicles", "1", "--pings", "1")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_stop_wakes_who_waits():
    with Stop() as stop:
        assert not stop.wait(0)
        signal.raise_signal(signal.SIGTERM)
        began = time.monotonic()
        assert stop.wait(60)
        assert time.monotonic() - began < 30
