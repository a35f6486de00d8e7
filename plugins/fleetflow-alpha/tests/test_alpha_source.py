"""The source as a whole: partitions, positions, the shared scan, lag."""

import errno
import json
import os
import pickle
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha import plugin, reading
from fleetflow_alpha.names import shard_of
from fleetflow_alpha.scanner import Scanner
from fleetflow_alpha.settings import AlphaSettings
from fleetflow_alpha.source import AlphaSource

from fleetflow import config
from fleetflow.errors import ConfigurationError, StoreError

THREAD = "fleetflow-alpha-scan"


def scanning_threads() -> int:
    return sum(thread.name == THREAD for thread in threading.enumerate())


def configuration(tmp_path: Path, **variables: str) -> config.Configuration:
    environment = {"FLEETFLOW_HOME": str(tmp_path), **variables}
    return config.load(plugin.fleetflow_settings(), environment=environment)


def test_partition_names_and_their_files_are_pinned() -> None:
    source = AlphaSource(Path("data"), AlphaSettings())
    assert source.name == "alpha"
    assert list(source.partitions()) == [f"alpha-{number:02d}" for number in range(8)]
    assert shard_of("1N4AL21E08N000000.csv", 8) == 6
    assert shard_of(os.fsdecode(b"\xff.csv"), 8) == 4
    # files with like names are not all read by one worker
    assert len({shard_of(f"feed-{number}.csv", 8) for number in range(8)}) > 4


def test_plugin_offers_the_source_for_its_directory(tmp_path: Path) -> None:
    (source,) = plugin.fleetflow_sources(configuration(tmp_path, FLEETFLOW_ALPHA_DIR="here"))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "A.csv").write_bytes(b"one\n")
    partition = source.open(source.partitions()[shard_of("A.csv", 8)], None)
    try:
        assert not partition.caught_up()
        (payload,) = [emission for emission in partition.poll(1 << 20) if hasattr(emission, "digest")]
        assert payload.resource == "A.csv"
    finally:
        partition.close()


def test_empty_directory_setting_turns_the_source_off(tmp_path: Path) -> None:
    assert list(plugin.fleetflow_sources(configuration(tmp_path, FLEETFLOW_ALPHA_DIR=""))) == []


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="shards"):
        configuration(tmp_path, FLEETFLOW_ALPHA_SHARDS="0")


def test_each_file_belongs_to_one_partition(folder: Path, read: Any) -> None:
    names = {f"{number}.csv" for number in range(40)}
    for name in names:
        (folder / name).write_bytes(b"one\n")
    source = AlphaSource(folder, AlphaSettings(shards=4, poll_s=0.01))
    found = {}
    for number, partition in enumerate(source.partitions()):
        for payload in read.on(source, partition).drain():
            assert shard_of(payload.resource, 4) == number
            assert payload.partition == partition
            found[payload.resource] = payload.data
    assert set(found) == names


def test_partitions_of_a_process_share_one_scan_that_ends_with_them(folder: Path) -> None:
    before = scanning_threads()
    source = AlphaSource(folder, AlphaSettings(poll_s=0.01))
    partitions = [source.open(name, None) for name in source.partitions()]
    assert scanning_threads() == before + 1
    for partition in partitions:
        partition.close()
        partition.close()
    assert scanning_threads() == before


def test_partition_can_be_opened_again_after_all_were_closed(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    source = AlphaSource(folder, AlphaSettings(shards=1, poll_s=0.01))
    for _ in range(2):
        reader = read.on(source, "alpha-00")
        reader.until(lambda reader=reader: len(reader.payloads) == 1)
        reader.partition.close()


def test_position_is_plain_and_resumes_exactly(folder: Path, read: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    early = reader.partition.position()
    dumped = pickle.dumps(early)
    assert b"fleetflow" not in dumped
    assert early == json.loads(json.dumps(early)) | {"files": early["files"]}
    assert early["v"] == 2
    with path.open("ab") as file:
        file.write(b"two\nthree\n")
    (live,) = reader.drain()
    assert early == pickle.loads(dumped), "a position that was handed out changed"
    (again,) = read(pickle.loads(dumped)).drain()
    assert (again.start, again.end, again.data, again.digest) == (
        live.start,
        live.end,
        live.data,
        live.digest,
    )
    assert read(reader.stored()).drain() == []


def test_position_of_lists_is_read_as_one_of_tuples(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    reader = read()
    reader.drain()
    assert read(json.loads(json.dumps(reader.partition.position()))).drain() == []


def test_position_in_the_middle_of_a_long_file_goes_on_there(folder: Path, read: Any, content: Any) -> None:
    data = b"".join(b"%d\n" % number for number in range(50_000))
    (folder / "A.csv").write_bytes(data)
    position, payloads = None, []
    while len(payloads) < 8:
        reader = read(position)
        payloads += reader.until(lambda reader=reader: len(reader.payloads) > 0, 30_000)
        position = reader.stored()
    payloads += read(position).drain()
    assert content(payloads) == {"A.csv": data}
    assert all(payload.digest == zlib.crc32(data[: payload.end]) for payload in payloads)


def test_position_of_another_version_is_refused(folder: Path, read: Any) -> None:
    for position in ({"v": 1, "files": {}}, {"v": 3, "files": {}}, [1]):
        with pytest.raises(StoreError, match="version"):
            read(position)


@pytest.mark.usefixtures("in_python")
def test_resume_opens_no_file_that_did_not_change(folder: Path, read: Any, monkeypatch: Any) -> None:
    for number in range(50):
        (folder / f"{number}.csv").write_bytes(b"one\n")
    reader = read()
    reader.drain()
    opened: list[str] = []
    open_file = reading.open_file
    monkeypatch.setattr(reading, "open_file", lambda path: opened.append(path) or open_file(path))
    resumed = read(reader.stored())
    assert resumed.drain() == []
    assert opened == []
    with (folder / "7.csv").open("ab") as file:
        file.write(b"two\n")
    assert len(resumed.drain()) == 1
    assert opened == [str(folder / "7.csv")]


def test_caught_up_sees_what_was_written_after_the_last_scan(folder: Path, read: Any) -> None:
    reader = read(poll_s=60)
    reader.settle()
    for number in range(20):
        with (folder / "A.csv").open("ab") as file:
            file.write(b"%d\n" % number)
        reader.poll()
        assert not reader.partition.caught_up()
        assert len(reader.poll()) == 1
        assert reader.partition.caught_up()


def test_partition_opened_later_finds_the_files_that_are_there(folder: Path, read: Any) -> None:
    for number in range(20):
        (folder / f"{number}.csv").write_bytes(b"one\n")
    # so that nothing but the second partition is a reason to list the directory again
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    source = AlphaSource(folder, AlphaSettings(shards=2, poll_s=60))
    first = read.on(source, "alpha-00")
    first.settle()
    second = read.on(source, "alpha-01")
    second.drain()
    assert len(first.payloads) + len(second.payloads) == 20


def test_settled_directory_is_listed_rarely(folder: Path, monkeypatch: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    listed: list[int] = []
    scandir = os.scandir
    monkeypatch.setattr("fleetflow_alpha.scanner.os.scandir", lambda fd: listed.append(fd) or scandir(fd))
    scanner = Scanner(str(folder), AlphaSettings(shards=1, poll_s=60))
    scanner.open(0, [])
    try:
        for _ in range(20):
            scanner.check(0)
        quiet = len(listed)
        (folder / "B.csv").write_bytes(b"one\n")
        scanner.check(0)
        hints, _ = scanner.take(0)
    finally:
        scanner.close(0)
    assert quiet <= 2
    assert set(hints) == {"A.csv", "B.csv"}


def test_older_of_two_looks_does_not_report_the_directory_as_back(
    tmp_path: Path, folder: Path, monkeypatch: Any
) -> None:
    scanner = Scanner(str(folder), AlphaSettings(shards=1, poll_s=60))
    scandir = os.scandir

    def slow(fd: int) -> Any:
        monkeypatch.setattr("fleetflow_alpha.scanner.os.scandir", scandir)
        folder.rename(tmp_path / "away")
        scanner.check(0)
        return scandir(fd)

    monkeypatch.setattr("fleetflow_alpha.scanner.os.scandir", slow)
    scanner.open(0, [])
    try:
        deadline = time.monotonic() + 20
        while scanner.due_in_s() < 1:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        _, news = scanner.take(0)
    finally:
        scanner.close(0)
    assert news == [os.strerror(errno.ENOENT)]


def test_scan_goes_on_after_an_unforeseen_error(folder: Path, read: Any, monkeypatch: Any) -> None:
    scandir, failures = os.scandir, [RuntimeError("one"), RuntimeError("two")]

    def failing(fd: int) -> Any:
        if failures:
            raise failures.pop()
        return scandir(fd)

    monkeypatch.setattr("fleetflow_alpha.scanner.os.scandir", failing)
    (folder / "A.csv").write_bytes(b"one\n")
    reader = read()
    reader.until(lambda: len(reader.payloads) == 1)
    assert failures == []


def test_progress_tells_the_bytes_behind_and_ends_at_zero(folder: Path, read: Any) -> None:
    for name in "AB":
        (folder / f"{name}.csv").write_bytes(b"0123456\n" * 10_000 + b"rest")
    reader = read()
    began = time.monotonic()
    reader.drain(4096)
    took = time.monotonic() - began
    progress = reader.noticed("progress")
    assert {notice.data["unit"] for notice in progress} == {"bytes"}
    assert progress[0].data["behind"] > 100_000
    assert progress[0].data["files"] == 2
    assert progress[-1].data == {"behind": 0, "unit": "bytes", "files": 0}
    assert len(progress) <= 3 + took
    count = len(progress)
    for _ in range(20):
        reader.poll()
    assert len(reader.noticed("progress")) == count


def test_poll_costs_what_changed_not_what_there_is(folder: Path, read: Any, monkeypatch: Any) -> None:
    for number in range(200):
        (folder / f"{number}.csv").write_bytes(b"one\n")
    reader = read(poll_s=60)
    reader.settle()
    reader.partition.position()
    # calls of Python functions, a measure that does not depend on the machine
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        reader.partition.poll(1 << 20)
        reader.partition.position()
    finally:
        sys.setprofile(None)
    assert calls < 100
