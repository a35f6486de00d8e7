"""What the kernel tells spares looks at all files, and nothing is missed where it does not tell."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha import scanner, shard, watching

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's own")

HOUR_S = 3600.0
OVERFLOW = 0x4000


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def watcher_of(reader: Any) -> Any:
    return reader.partition._scanner._watcher


def trusting(read: Any, path: Path, monkeypatch: Any, then_look_s: float = HOUR_S) -> Any:
    """Open a reader, and let the kernel earn its trust; from then on all files are looked at seldom."""
    monkeypatch.setattr(scanner, "LISTEN_AFTER_S", 0.0)
    monkeypatch.setattr(scanner, "LOOK_AT_LEAST_EVERY_S", then_look_s)
    monkeypatch.setattr(scanner, "LIST_AT_LEAST_EVERY_S", then_look_s)
    append(path, "A,0\n")
    reader = read()
    reader.until(lambda: bool(reader.payloads))

    def trusted() -> bool:
        append(path, "A,0\n")
        return bool(watcher_of(reader).trusted)

    reader.until(trusted)
    return reader


def waiting_for(reader: Any, line: bytes) -> Any:
    return lambda: any(payload.data.endswith(line) for payload in reader.payloads)


def test_what_is_told_is_read_without_a_look_at_all_files(folder: Path, read: Any, monkeypatch: Any) -> None:
    reader = trusting(read, folder / "A.csv", monkeypatch)
    looks: list[int] = []
    look = shard.Shard.look
    monkeypatch.setattr(shard.Shard, "look", lambda self, fd: looks.append(fd) or look(self, fd))
    for number in range(5):
        append(folder / "A.csv", f"A,{number}\n")
        append(folder / "B.csv", f"B,{number}\n")
        reader.until(waiting_for(reader, f"A,{number}\n".encode()))
        reader.until(waiting_for(reader, f"B,{number}\n".encode()))
    (folder / "B.csv").unlink()
    reader.until(lambda: bool(reader.noticed("deleted")))
    (folder / "other").write_text("B,0\nB,1\nB,2\nB,3\nB,4\nback\n")
    (folder / "other").rename(folder / "B.csv")
    reader.until(waiting_for(reader, b"back\n"))
    assert not looks


def test_a_truncated_file_is_noticed_by_what_is_told(folder: Path, read: Any, monkeypatch: Any) -> None:
    reader = trusting(read, folder / "A.csv", monkeypatch)
    (folder / "A.csv").write_text("new\n")
    reader.until(waiting_for(reader, b"new\n"))
    assert reader.payloads[-1].resource == "A.csv~2"


def test_a_change_that_is_not_told_is_found_and_ends_the_trust(
    tmp_path: Path, folder: Path, read: Any, monkeypatch: Any
) -> None:
    # nothing but that change is to end it
    monkeypatch.setattr(scanner, "LISTENING", 100)
    reader = trusting(read, folder / "A.csv", monkeypatch, then_look_s=0.02)
    (tmp_path / "elsewhere").write_text("B,0\n")
    (folder / "B.csv").symlink_to(tmp_path / "elsewhere")
    reader.until(waiting_for(reader, b"B,0\n"))

    def distrusted() -> bool:
        append(tmp_path / "elsewhere", "B,1\n")
        return not watcher_of(reader).trusted

    reader.until(distrusted)
    for number in range(2, 5):
        append(tmp_path / "elsewhere", f"B,{number}\n")
        append(folder / "A.csv", f"A,{number}\n")
        reader.until(waiting_for(reader, f"B,{number}\n".encode()))
        reader.until(waiting_for(reader, f"A,{number}\n".encode()))
    assert not watcher_of(reader).trusted


def test_what_is_told_while_files_are_looked_at_may_be_found_by_the_next_look(folder: Path) -> None:
    watcher = watching.Watcher()
    fd = os.open(folder, os.O_RDONLY)

    def look(found: set[str], then: str = "") -> None:
        watcher.follow(fd)
        if then:
            append(folder / then, "0\n")
        watcher.judge(found)

    try:
        look(set())
        look(set(), then="A.csv")
        look({"A.csv"})
        look(set())
        assert watcher.trusted
        # a look may be a moment too early, and so be told later; but told of it must be
        look({"B.csv"})
        assert watcher.trusted
        look(set())
        assert not watcher.trusted
    finally:
        os.close(fd)
        watcher.close()


def test_after_lost_events_all_files_are_looked_at(folder: Path, read: Any, monkeypatch: Any) -> None:
    reader = trusting(read, folder / "A.csv", monkeypatch)
    told = watching.INotify.read

    def losing(self: Any, timeout: int) -> list[Any]:
        events = told(self, timeout=timeout)
        if not any(event.name == "B.csv" for event in events):
            return events  # type: ignore[no-any-return]
        return [events[0]._replace(mask=OVERFLOW, name="")]

    monkeypatch.setattr(watching.INotify, "read", losing)
    (folder / "B.csv").write_text("B,0\n")
    reader.until(waiting_for(reader, b"B,0\n"))


def test_another_directory_in_the_place_of_the_first_is_watched(
    tmp_path: Path, folder: Path, read: Any, monkeypatch: Any
) -> None:
    reader = trusting(read, folder / "A.csv", monkeypatch)
    new = tmp_path / "new"
    new.mkdir()
    (new / "C.csv").write_text("C,0\n")
    folder.rename(tmp_path / "old")
    new.rename(folder)
    reader.until(waiting_for(reader, b"C,0\n"))
    append(folder / "C.csv", "C,1\n")
    reader.until(waiting_for(reader, b"C,1\n"))


@pytest.mark.parametrize("installed", [True, False])
def test_a_system_that_cannot_tell_is_done_without(
    folder: Path, read: Any, monkeypatch: Any, installed: bool
) -> None:
    def refuse(self: Any, path: str, mask: int) -> int:
        raise OSError(28, os.strerror(28))

    if installed:
        monkeypatch.setattr(watching.INotify, "add_watch", refuse)
    else:
        monkeypatch.setattr(watching, "INotify", None)
    monkeypatch.setattr(scanner, "LISTEN_AFTER_S", 0.0)
    (folder / "A.csv").write_text("A,0\n")
    reader = read()
    for number in range(3):
        append(folder / "A.csv", f"A,{number}\n")
        reader.until(waiting_for(reader, f"A,{number}\n".encode()))
    assert not watcher_of(reader).trusted


def test_listening_that_takes_too_much_is_given_a_rest(folder: Path, read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(scanner, "REST_S", 0.02)
    reader = trusting(read, folder / "A.csv", monkeypatch, then_look_s=0.02)
    monkeypatch.setattr(scanner, "LISTENING", 0)
    for trusted in (False, True, False):

        def reached(trusted: bool = trusted) -> bool:
            append(folder / "A.csv", "A,0\n")
            return watcher_of(reader).trusted is trusted

        reader.until(reached)
    append(folder / "A.csv", "A,1\n")
    reader.until(waiting_for(reader, b"A,1\n"))
