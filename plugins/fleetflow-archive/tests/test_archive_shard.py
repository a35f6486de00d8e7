"""The writer of one shard: exactly-once through any crash, whatever was merged, and readers beside it."""

import contextlib
import json
import os
from collections import Counter

import polars as pl
import pytest
from fleetflow_archive import manifest
from fleetflow_archive.archive import Archive
from fleetflow_archive.compacting import compact
from fleetflow_archive.settings import ArchiveSettings
from fleetflow_archive.sink import ArchiveSink
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetflow.contracts.sink import ShardBatch
from fleetflow.errors import StoreError

COLUMNS = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
    "sequence": pl.Int64(),
    "obd_codes": pl.List(pl.String()),
}
DAY = 86_400.0
NOON = 1_700_000_000.0


class Clock:
    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


def pings(numbers, vin="V1", step=1.0, start=NOON, source="alpha"):
    numbers = list(numbers)
    return pl.DataFrame(
        {
            "vin": [vin] * len(numbers),
            "latitude": [number / 1000 for number in numbers],
            "longitude": [1.5] * len(numbers),
            "time": [start + step * number for number in numbers],
            "sequence": numbers,
            "obd_codes": [["P0171"] if number % 2 else [] for number in numbers],
            "source": [source] * len(numbers),
            "received_at": [NOON] * len(numbers),
        },
        schema={**COLUMNS, "source": pl.String(), "received_at": pl.Float64()},
    )


def sink(folder, clock=None, **options):
    return ArchiveSink(folder, 1, ArchiveSettings(lock_wait_s=0, **options), clock or Clock())


def write(shard, frame):
    assert shard.write(ShardBatch(frame), {}) == {}


def archive(folder, columns=COLUMNS):
    return Archive(folder, columns, 2)


def sequences(folder):
    return archive(folder).between(float("-inf"), float("inf"))["sequence"].to_list()


def files(folder):
    return sorted(path for path in folder.rglob("*.parquet"))


def test_pings_are_seen_after_the_snapshot_and_not_before(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(5)))
    assert sequences(tmp_path) == []
    shard.snapshot()
    assert sequences(tmp_path) == [0, 1, 2, 3, 4]
    frame = archive(tmp_path).between(float("-inf"), float("inf"))
    assert frame.equals(pings(range(5)))
    shard.close()


def test_archive_that_does_not_exist_is_empty(tmp_path):
    nothing = archive(tmp_path / "none")
    assert nothing.trail("V1", 0, 2e9).height == 0
    assert nothing.trail("V1", 0, 2e9).columns == [*COLUMNS, "source", "received_at"]
    assert list(nothing.at(2e9)) == []
    assert not (tmp_path / "none").exists()


def test_what_came_after_the_last_snapshot_is_written_once_when_it_is_replayed(tmp_path):
    shard = sink(tmp_path, roll_rows=2).open("0000", None)
    write(shard, pings(range(3)))
    state = shard.snapshot()
    write(shard, pings(range(3, 9)))
    shard.close()
    shard = sink(tmp_path, roll_rows=2).open("0000", json.loads(json.dumps(state)))
    write(shard, pings(range(3, 12)))
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path) == list(range(12))


def test_snapshot_that_never_became_durable_is_undone_and_kept_aside(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(3)))
    state = shard.snapshot()
    write(shard, pings(range(3, 6)))
    shard.snapshot()
    shard.close()
    shard = sink(tmp_path).open("0000", state)
    assert sequences(tmp_path) == [0, 1, 2]
    write(shard, pings(range(3, 7)))
    shard.snapshot()
    assert sequences(tmp_path) == list(range(7))
    (aside,) = archive(tmp_path).aside()
    assert pl.read_parquet(aside.read_bytes())["sequence"].to_list() == [3, 4, 5]
    shard.close()


def test_old_savepoint_cuts_files_that_were_merged_since(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    states = []
    for number in range(40):
        write(shard, pings([number]))
        states.append(shard.snapshot())
    shard.close()
    assert len(manifest.load(tmp_path / "shard=0000").logs[0].files) < 16
    shard = sink(tmp_path).open("0000", states[10])
    assert sequences(tmp_path) == list(range(11))
    shard.close()
    assert len(archive(tmp_path).aside()) > 0


def test_job_that_another_one_has_overtaken_begins_a_log_of_its_own(tmp_path, caplog):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(3)))
    savepoint = shard.snapshot()
    write(shard, pings(range(3, 6)))
    first_job = shard.snapshot()
    shard.close()
    shard = sink(tmp_path).open("0000", savepoint)
    write(shard, pings(range(100, 105)))
    second_job = shard.snapshot()
    shard.close()
    caplog.clear()
    shard = sink(tmp_path).open("0000", first_job)
    assert "another job was started from an older position" in caplog.text
    write(shard, pings(range(6, 8)))
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path) == [0, 1, 2, 6, 7, *range(100, 105)]
    shard = sink(tmp_path).open("0000", second_job)
    write(shard, pings([105]))
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path) == [0, 1, 2, 6, 7, *range(100, 106)]


def test_job_that_starts_anew_shows_no_ping_twice_and_none_less(tmp_path):
    for numbers in ([0, 1, 1, 2], [1, 0, 1, 2, 3], [2, 2]):
        shard = sink(tmp_path).open("0000", None)
        write(shard, pings(numbers))
        shard.snapshot()
        shard.close()
    assert sequences(tmp_path) == [0, 1, 1, 2, 2, 3]
    assert archive(tmp_path).trail("V1", 0, 2e9)["sequence"].to_list() == [0, 1, 1, 2, 2, 3]


def test_archive_that_was_moved_away_is_begun_again_with_a_warning(tmp_path, caplog):
    shard = sink(tmp_path / "one").open("0000", None)
    write(shard, pings(range(3)))
    state = shard.snapshot()
    shard.close()
    shard = sink(tmp_path / "two").open("0000", state)
    assert "3 pings that were archived before are not here" in caplog.text
    write(shard, pings(range(3, 5)))
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path / "two") == [3, 4]


def test_two_writers_of_one_shard_are_refused(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    with pytest.raises(StoreError, match="in use by another process"):
        sink(tmp_path).open("0000", None)
    with pytest.raises(StoreError, match="in use"):
        compact(tmp_path, ArchiveSettings(lock_wait_s=0))
    shard.close()
    sink(tmp_path).open("0000", None).close()


def test_pings_go_to_the_day_of_their_own_time(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(4), start=0.0, step=DAY / 2))
    shard.snapshot()
    shard.close()
    days = [path.parent.name for path in files(tmp_path)]
    assert days == ["day=1970-01-01", "day=1970-01-02"]
    parts = archive(tmp_path).parts(DAY, 2 * DAY)
    assert [part.file.day for part in parts] == ["1970-01-02"]


@pytest.mark.parametrize("time", [None, float("nan"), float("inf"), -float("inf"), 1e300, -1e300])
def test_time_that_no_calendar_has_is_archived_too(tmp_path, time):
    shard = sink(tmp_path).open("0000", None)
    frame = pl.concat([pings([1]), pings([2]).with_columns(pl.lit(time, pl.Float64).alias("time"))])
    write(shard, frame)
    shard.snapshot()
    shard.close()
    assert sorted(path.parent.name for path in files(tmp_path)) == ["day=2023-11-14", "day=unknown"]
    assert archive(tmp_path).trail("V1", 0, 2e9)["sequence"].to_list() == [1]
    assert sum(file.rows for part in archive(tmp_path).parts(0, 2e9) for file in [part.file]) >= 1


def test_memory_is_bounded_by_full_files(tmp_path):
    shard = sink(tmp_path, roll_rows=10).open("0000", None)
    for start in range(0, 100, 5):
        write(shard, pings(range(start, start + 5)))
        assert shard._buffered < 10
    assert len(files(tmp_path)) == 10
    assert sequences(tmp_path) == []
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path) == list(range(100))


def test_state_stays_small_and_plain(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    for start in range(0, 2000, 100):
        write(shard, pings(range(start, start + 100)))
        state = shard.snapshot()
    shard.close()
    assert len(json.dumps(state)) < 100
    assert set(state) == {"v", "log", "run", "rows"}
    assert state["v"] == 1


def test_many_snapshots_leave_few_files(tmp_path):
    clock = Clock()
    shard = sink(tmp_path, clock).open("0000", None)
    for number in range(200):
        write(shard, pings([number], vin=f"V{number % 3}"))
        clock.now += 10
        shard.snapshot()
    assert sequences(tmp_path) == list(range(200))
    parts = archive(tmp_path).parts(float("-inf"), float("inf"))
    assert len(parts) < 24
    # those that were merged stay for a minute, for readers that know of them
    assert len(files(tmp_path)) < 24 + 16
    shard.close()


def test_days_that_are_over_end_in_one_file(tmp_path):
    clock = Clock()
    shard = sink(tmp_path, clock).open("0000", None)
    for number in range(5):
        write(shard, pings([number]))
        shard.snapshot()
    clock.now += DAY
    for number in range(5, 7):
        write(shard, pings([number], start=clock.now))
        shard.snapshot()
    shard.close()
    days = Counter(part.file.day for part in archive(tmp_path).parts(float("-inf"), float("inf")))
    assert days == {"2023-11-14": 1, "2023-11-15": 2}
    assert sequences(tmp_path) == list(range(7))


def test_days_older_than_the_retention_are_deleted(tmp_path):
    clock = Clock()
    shard = sink(tmp_path, clock, keep_days=2).open("0000", None)
    write(shard, pings(range(6), start=NOON - 5 * DAY, step=DAY))
    state = shard.snapshot()
    assert sequences(tmp_path) == [3, 4, 5]
    clock.now += 3600
    shard.snapshot()
    assert len(files(tmp_path)) == 3
    shard.close()
    shard = sink(tmp_path, clock, keep_days=2).open("0000", state)
    write(shard, pings([6]))
    assert shard.snapshot()["rows"] == 7
    shard.close()
    assert sequences(tmp_path) == [3, 4, 5, 6]


def test_what_is_aside_is_deleted_when_its_time_is_over(tmp_path):
    clock = Clock(1e10)
    shard = sink(tmp_path, clock, aside_days=7).open("0000", None)
    state = shard.snapshot()
    write(shard, pings(range(3)))
    shard.snapshot()
    shard.close()
    shard = sink(tmp_path, clock, aside_days=7).open("0000", state)
    (aside,) = archive(tmp_path).aside()
    os.utime(aside.parent, (1e10, 1e10))
    shard.snapshot()
    assert archive(tmp_path).aside() == [aside]
    clock.now += 8 * DAY
    shard.snapshot()
    shard.close()
    assert archive(tmp_path).aside() == []


def test_strays_of_a_killed_writer_are_removed(tmp_path):
    shard = sink(tmp_path, roll_rows=1).open("0000", None)
    write(shard, pings([0]))
    state = shard.snapshot()
    write(shard, pings([1]))
    shard.close()
    half = files(tmp_path)[0].with_suffix(".new")
    half.write_bytes(b"PAR1")
    assert len(files(tmp_path)) == 2
    sink(tmp_path).open("0000", state).close()
    assert len(files(tmp_path)) == 1
    assert not half.exists()


def test_files_of_an_older_schema_are_read_with_those_of_a_newer_one(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(2)).drop("obd_codes"))
    state = shard.snapshot()
    shard.close()
    shard = sink(tmp_path).open("0000", state)
    write(shard, pings(range(2, 4)))
    shard.snapshot()
    shard.close()

    def codes():
        return archive(tmp_path).trail("V1", 0, 2e9)["obd_codes"].to_list()

    assert codes() == [[], [], [], ["P0171"]]
    older = {name: dtype for name, dtype in COLUMNS.items() if name != "obd_codes"}
    assert archive(tmp_path, older).trail("V1", 0, 2e9).columns == [*older, "source", "received_at"]
    assert compact(tmp_path, ArchiveSettings()) == (2, 1)
    assert codes() == [[], [], [], ["P0171"]]


def test_merge_goes_on_when_a_file_of_another_schema_is_in_between(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    for number in range(20):
        frame = pings([number])
        write(shard, frame if number % 3 else frame.drop("obd_codes"))
        shard.snapshot()
    shard.close()
    expected = [["P0171"] if number % 2 and number % 3 else [] for number in range(20)]
    assert archive(tmp_path).trail("V1", 0, 2e9)["obd_codes"].to_list() == expected


def test_trail_is_of_one_vehicle_by_time_and_keeps_the_newest(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pl.concat([pings([3, 1, 2]), pings([2], vin="V2")]))
    shard.snapshot()
    shard.close()
    found = archive(tmp_path)
    assert found.trail("V1", 0, 2e9)["sequence"].to_list() == [1, 2, 3]
    assert found.trail("V1", 0, 2e9, limit=2)["sequence"].to_list() == [2, 3]
    assert found.trail("V1", NOON + 1, NOON + 2)["sequence"].to_list() == [1, 2]
    assert found.trail("nobody", 0, 2e9).height == 0


def test_fleet_as_it_was_is_the_newest_ping_of_each_vehicle_up_to_then(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pl.concat([pings([5, 1, 3], vin="V2"), pings([9, 2], vin="V1"), pings([7], vin="V3")]))
    shard.snapshot()
    shard.close()
    found = list(archive(tmp_path).at(NOON + 5))
    assert [(record["vin"], record["sequence"]) for record in found] == [("V1", 2), ("V2", 5)]
    assert found[0] == {**pings([2]).row(0, named=True), "schema_version": 2}


def test_reader_that_knows_of_a_file_that_is_gone_looks_again(tmp_path, monkeypatch):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(3)))
    shard.snapshot()
    shard.close()
    reader = archive(tmp_path)
    real, calls = reader._read, []

    def replaced_meanwhile(parts, condition):
        if not calls:
            calls.append(parts)
            compact(tmp_path, ArchiveSettings())
        return real(parts, condition)

    monkeypatch.setattr(reader, "_read", replaced_meanwhile)
    assert reader.trail("V1", 0, 2e9)["sequence"].to_list() == [0, 1, 2]
    assert calls


def test_missing_and_damaged_files_are_told_in_words(tmp_path):
    shard = sink(tmp_path).open("0000", None)
    write(shard, pings(range(3)))
    shard.snapshot()
    shard.close()
    (file,) = files(tmp_path)
    content = file.read_bytes()
    file.write_bytes(b"nothing like Parquet, of some length" * 10)
    with pytest.raises(StoreError, match="cannot be read"):
        archive(tmp_path).trail("V1", 0, 2e9)
    file.unlink()
    with pytest.raises(StoreError, match="is missing"):
        archive(tmp_path).trail("V1", 0, 2e9)
    file.write_bytes(content)
    assert sequences(tmp_path) == [0, 1, 2]
    (tmp_path / "shard=0000" / manifest.FILE).write_text('{"v": 99}')
    with pytest.raises(StoreError, match="layout version 99"):
        archive(tmp_path).trail("V1", 0, 2e9)
    (tmp_path / "shard=0000" / manifest.FILE).write_text('{"v": 1, "logs": 3}')
    with pytest.raises(StoreError, match="cannot be read"):
        archive(tmp_path).trail("V1", 0, 2e9)


def test_folder_is_private_to_its_user(tmp_path):
    sink(tmp_path / "archive").open("0000", None).close()
    assert (tmp_path / "archive").stat().st_mode & 0o077 == 0


def test_compacting_sorts_by_vehicle_and_changes_nothing_else(tmp_path):
    shard = sink(tmp_path, roll_rows=4).open("0000", None)
    for start in range(0, 40, 4):
        write(shard, pl.concat([pings([n], vin=f"V{n % 3}") for n in range(start, start + 4)]))
        state = shard.snapshot()
    shard.close()
    before = sequences(tmp_path)
    assert compact(tmp_path, ArchiveSettings(roll_rows=4)) == (10, 2)
    assert sequences(tmp_path) == before
    assert len(files(tmp_path)) == 2
    assert compact(tmp_path, ArchiveSettings(roll_rows=4))[1] == 2
    assert all(pl.read_parquet(path, hive_partitioning=False)["vin"].is_sorted() for path in files(tmp_path))
    shard = sink(tmp_path).open("0000", {**state, "rows": 21})
    shard.close()
    assert sequences(tmp_path) == list(range(21))


def test_compacting_gives_up_what_a_newer_log_has_and_nothing_else(tmp_path):
    day = int(DAY)
    lives = [[0, 1, 1, 2, day, day + 1], [1, 0, 1, 2, 3, day], [2, 2]]
    for numbers in lives:
        shard = sink(tmp_path).open("0000", None)
        write(shard, pings(numbers))
        state = shard.snapshot()
        shard.close()
    before = sequences(tmp_path)
    assert before == [0, 1, 1, 2, 2, 3, day, day + 1]
    compact(tmp_path, ArchiveSettings())
    assert sequences(tmp_path) == before
    days = [[file.day for file in log.files] for log in manifest.load(tmp_path / "shard=0000").logs]
    assert days == [["2023-11-15"], ["2023-11-14", "2023-11-15"], ["2023-11-14"]]
    shard = sink(tmp_path).open("0000", state)
    write(shard, pings([4]))
    shard.snapshot()
    shard.close()
    assert sequences(tmp_path) == [0, 1, 1, 2, 2, 3, 4, day, day + 1]


class Crash(Exception):
    pass


@st.composite
def lives(draw):
    """A job's life: what happens after some pings: nothing, a snapshot, a crash, a crash while writing."""
    return draw(
        st.lists(
            st.tuples(
                st.integers(1, 7),
                st.sampled_from(["", "snapshot", "snapshot", "lost snapshot", "crash", "crash in snapshot"]),
                st.integers(0, 12),
            ),
            min_size=1,
            max_size=40,
        )
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives(), st.integers(1, 9))
def test_any_life_of_crashes_and_replays_archives_each_ping_once(tmp_path_factory, life, roll_rows):
    """The input is a list of numbers; a crash goes back to the last durable snapshot, as Bytewax does."""
    folder = tmp_path_factory.mktemp("life")
    clock = Clock()
    durable, position, top = None, 0, 0
    shard = sink(folder, clock, roll_rows=roll_rows).open("0000", None)
    at = 0
    for count, what, where in life:
        # every tenth number is a repeat of the one before: repeats are pings too
        batch = [number - (number % 10 == 9) for number in range(at, at + count)]
        write(shard, pings(batch, step=DAY / 7))
        at += count
        top = max(top, at)
        clock.now += 30
        if what in {"snapshot", "lost snapshot"}:
            state = shard.snapshot()
            if what == "snapshot":
                durable, position = state, at
        elif what == "crash in snapshot":
            calls = []

            def dies(step, real, where=where, calls=calls):
                def call(*arguments, **options):
                    calls.append(step)
                    if len(calls) > where:
                        raise Crash
                    return real(*arguments, **options)

                return call

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("fleetflow_archive.files.sync", dies("sync", lambda path: None))
                patch.setattr("fleetflow_archive.manifest.save", dies("save", manifest.save))
                patch.setattr("fleetflow_archive.folder.os.link", dies("link", os.link))
                real = pl.DataFrame.write_parquet
                patch.setattr(pl.DataFrame, "write_parquet", dies("write", real))
                with contextlib.suppress(Crash):
                    shard.snapshot()
                shard.close()
                with contextlib.suppress(Crash):
                    sink(folder, clock, roll_rows=roll_rows).open("0000", durable).close()
        if what.startswith("crash"):
            shard.close()
            shard = sink(folder, clock, roll_rows=roll_rows).open("0000", durable)
            at = position
    # the input is read to its end at last
    write(shard, pings([number - (number % 10 == 9) for number in range(at, top)], step=DAY / 7))
    shard.snapshot()
    shard.close()
    found = archive(folder).between(float("-inf"), float("inf"))["sequence"].to_list()
    assert Counter(found) == Counter(number - (number % 10 == 9) for number in range(top))
