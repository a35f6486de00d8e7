"""What cannot be read, and what only looks like a file."""

import errno
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha import reading
from fleetflow_alpha.names import resource, to_key, to_name


def told(reader: Any) -> list[str]:
    return [notice.kind for notice in reader.notices if notice.kind != "progress"]


class Locked:
    """Refuses to open files while it is on; the test may run as a user to whom nothing is forbidden."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        self.tries = 0
        self._open = reading.open_file
        monkeypatch.setattr(reading, "open_file", self)

    def __call__(self, path: str) -> int:
        self.tries += 1
        if self.on:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return self._open(path)


@pytest.mark.usefixtures("in_python")
def test_unreadable_file_is_told_once_and_recovers(
    folder: Path, read: Any, content: Any, monkeypatch: Any
) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    locked = Locked(monkeypatch)
    reader = read()
    began = time.monotonic()
    reader.drain()
    for _ in range(50):
        reader.poll()
    # the first pause is a second long
    assert 1 <= locked.tries <= 1 + time.monotonic() - began
    assert told(reader) == ["unreadable"]
    assert "Permission denied" in reader.noticed("unreadable")[0].message
    locked.on = False
    # nothing changes in the directory: it is tried again after a pause
    reader.until(lambda: len(reader.payloads) > 0)
    assert content(reader.payloads) == {"A.csv": b"one\n"}
    assert told(reader) == ["unreadable", "recovered"]


@pytest.mark.usefixtures("in_python")
def test_unreadable_file_is_tried_at_once_when_its_permissions_change(
    folder: Path, read: Any, monkeypatch: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    locked = Locked(monkeypatch)
    reader = read()
    reader.drain()
    locked.on = False
    path.chmod(0o600)
    assert reader.drain()[0].data == b"one\n"


@pytest.mark.usefixtures("in_python")
def test_error_while_reading_is_told_and_read_again(folder: Path, read: Any, monkeypatch: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    read_lines = reading.read_lines

    def failing(*_: Any) -> Any:
        monkeypatch.setattr(reading, "read_lines", read_lines)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(reading, "read_lines", failing)
    reader = read()
    reader.until(lambda: len(reader.payloads) > 0)
    assert told(reader) == ["unreadable", "recovered"]


def test_missing_directory_is_waited_for(tmp_path: Path, folder: Path, read: Any, content: Any) -> None:
    folder.rmdir()
    reader = read()
    assert reader.drain() == []
    assert reader.partition.caught_up()
    (notice,) = reader.noticed("unreadable")
    assert str(folder) in notice.message
    folder.mkdir()
    (folder / "A.csv").write_bytes(b"one\n")
    assert content(reader.drain()) == {"A.csv": b"one\n"}
    assert told(reader) == ["unreadable", "recovered"]


def test_directory_that_goes_away_keeps_its_positions(tmp_path: Path, folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    reader = read()
    reader.drain()
    folder.rename(tmp_path / "away")
    reader.drain()
    (tmp_path / "away").rename(folder)
    with (folder / "A.csv").open("ab") as file:
        file.write(b"two\n")
    assert [payload.data for payload in reader.drain()] == [b"two\n"]
    assert told(reader) == ["unreadable", "recovered"]


def test_directory_is_told_by_one_partition_of_the_process(folder: Path, read: Any) -> None:
    from fleetflow_alpha.settings import AlphaSettings
    from fleetflow_alpha.source import AlphaSource

    folder.rmdir()
    source = AlphaSource(folder, AlphaSettings(shards=4, poll_s=0.01))
    readers = [read.on(source, partition) for partition in source.partitions()]
    for reader in readers:
        reader.drain()
    assert [told(reader) for reader in readers] == [["unreadable"], [], [], []]


def test_what_is_not_a_file_is_passed_over(
    tmp_path: Path, folder: Path, read: Any, content: Any, monkeypatch: Any
) -> None:
    (folder / "dir.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    (folder / "nowhere.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "real").write_bytes(b"one\n")
    (folder / "link.csv").symlink_to(tmp_path / "real")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.csv")
        reader = read()
        assert content(reader.drain()) == {"link.csv": b"one\n"}
        assert told(reader) == []


def test_link_to_nowhere_is_not_news_at_every_look(tmp_path: Path, folder: Path, read: Any) -> None:
    reader = read(poll_s=60)
    reader.settle()
    (folder / "nowhere.csv").symlink_to(tmp_path / "nowhere")
    assert reader.partition.caught_up()


def test_circle_of_links_is_told_as_unreadable(folder: Path, read: Any) -> None:
    (folder / "a.csv").symlink_to(folder / "b.csv")
    (folder / "b.csv").symlink_to(folder / "a.csv")
    reader = read()
    reader.drain()
    assert told(reader) == ["unreadable", "unreadable"]
    assert reader.partition.caught_up()


def test_file_that_became_a_directory_counts_as_deleted(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\n")
    reader = read()
    reader.drain()
    (folder / "A.csv").unlink()
    (folder / "A.csv").mkdir()
    reader.drain()
    assert told(reader) == ["deleted"]


def test_file_that_vanishes_before_it_is_opened_is_no_error(folder: Path, read: Any) -> None:
    path = folder / "A.csv"
    reader = read(poll_s=60)
    reader.settle()
    path.write_bytes(b"one\n")
    assert not reader.partition.caught_up()
    path.unlink()
    assert reader.drain() == []
    assert told(reader) == ["deleted"]


def test_names_that_are_not_utf8_are_read_and_stored(folder: Path, read: Any, content: Any) -> None:
    for raw in (b"\xff.csv", b"\\xff.csv", "é.csv".encode()):
        path = folder / os.fsdecode(raw)
        path.write_bytes(raw + b"\n")
    reader = read()
    joined = content(reader.drain())
    assert joined == {
        "\\xff.csv": b"\xff.csv\n",
        "\\x5cxff.csv": b"\\xff.csv\n",
        "é.csv": "é.csv\n".encode(),
    }
    for key in reader.stored()["files"]:
        assert key.encode("utf-8").decode("utf-8") == key
    resumed = read(reader.stored())
    assert resumed.drain() == []
    with (folder / os.fsdecode(b"\xff.csv")).open("ab") as file:
        file.write(b"more\n")
    (payload,) = resumed.drain()
    assert (payload.resource, payload.data) == ("\\xff.csv", b"more\n")


def test_no_two_resources_have_one_name() -> None:
    assert resource(to_key("a"), 2) == "a~2"
    assert resource(to_key("a~2"), 1) == "a\\x7e2"
    assert resource(to_key("a~2~b"), 1) == "a~2~b"
    assert to_name(to_key("a~2")) == "a~2"
