"""Files that do not only grow: truncated, replaced, rotated, deleted."""

import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha import reading

LONG = b"".join(b"%08d,some,content\n" % number for number in range(2000))
"""Longer than what is compared at the beginning and before the offset."""


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def renamed_over(path: Path, data: bytes) -> None:
    other = path.with_name(".new")
    other.write_bytes(data)
    other.replace(path)


def told(reader: Any) -> list[str]:
    return [notice.kind for notice in reader.notices if notice.kind != "progress"]


def test_truncated_file_is_a_new_resource_from_the_beginning(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\ntwo\nthree\n")
    reader = read()
    reader.drain()
    os.truncate(path, 4)
    reader.drain()
    append(path, b"zwei\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\nthree\n", "A.csv~2": b"one\nzwei\n"}
    (notice,) = reader.noticed("truncated")
    assert (notice.data["resource"], notice.data["successor"], notice.data["unread"]) == (
        "A.csv",
        "A.csv~2",
        0,
    )


def test_truncated_file_tells_what_was_never_read(folder: Path, read: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\ntwo")
    reader = read()
    reader.drain()
    os.truncate(path, 0)
    reader.drain()
    assert reader.noticed("truncated")[0].data["unread"] == 3


@pytest.mark.parametrize("by_rename", [True, False], ids=["rename", "copy"])
@pytest.mark.parametrize(
    "after",
    [LONG[:50].replace(b"some", b"none"), LONG.replace(b"00000000", b"99999999"), LONG[:-2] + b"!\nmore\n"],
    ids=["shorter", "other-head", "other-tail"],
)
def test_replaced_file_is_noticed_by_more_than_its_size(
    folder: Path, read: Any, overwrite: Any, content: Any, after: bytes, by_rename: bool
) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read()
    reader.drain()
    (renamed_over if by_rename else overwrite)(path, after)
    reader.drain()
    whole = after[: after.rfind(b"\n") + 1]
    assert content(reader.payloads) == {"A.csv": LONG, "A.csv~2": whole}
    assert reader.payloads[-1].digest == zlib.crc32(whole)
    assert told(reader) == ["replaced" if by_rename or len(after) >= len(LONG) else "truncated"]


def test_replacement_of_the_same_size_and_time_is_noticed(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\ntwo\n")
    reader = read()
    reader.drain()
    before = path.stat()
    renamed_over(path, b"eins\nzw\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\n", "A.csv~2": b"eins\nzw\n"}


def test_renamed_over_file_that_differs_only_in_its_middle_is_noticed(
    folder: Path, read: Any, content: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read(block_bytes=4096)
    reader.drain()
    other = LONG.replace(b"00001000,some", b"00001000,none")
    renamed_over(path, other)
    # in portions, so that a comparison of a large file does not hold up the others
    reader.drain(4096)
    assert content(reader.payloads) == {"A.csv": LONG, "A.csv~2": other}


def test_renamed_over_file_that_continues_goes_on(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read(block_bytes=4096)
    reader.drain()
    for number in range(3):
        renamed_over(path, path.read_bytes() + b"more %d\n" % number)
        reader.drain(4096)
    assert content(reader.payloads) == {"A.csv": LONG + b"more 0\nmore 1\nmore 2\n"}
    assert told(reader) == []


@pytest.mark.usefixtures("in_python")
def test_file_overwritten_while_it_is_read_never_mixes(
    folder: Path, read: Any, overwrite: Any, content: Any, monkeypatch: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    append(path, b"two\n")
    other = b"eins\nzwei\ndrei\n"
    read_lines = reading.read_lines

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(reading, "read_lines", read_lines)
        overwrite(path, other)
        return read_lines(*arguments)

    monkeypatch.setattr(reading, "read_lines", late)
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": other}


def test_mount_that_invents_inodes_is_judged_by_content(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read(trust_inode=False)
    reader.drain()
    renamed_over(path, LONG + b"more\n")
    reader.drain()
    renamed_over(path, b"other\n" * 10_000)
    reader.drain()
    assert content(reader.payloads) == {"A.csv": LONG + b"more\n", "A.csv~2": b"other\n" * 10_000}


def test_deleted_file_tells_what_was_never_read(folder: Path, read: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\ntw")
    reader = read()
    reader.drain()
    path.unlink()
    reader.drain()
    (notice,) = reader.noticed("deleted")
    assert notice.data == {"resource": "A.csv", "unread": 2}
    assert "2 bytes" in notice.message


def test_deleted_file_that_comes_back_goes_on(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read()
    reader.drain()
    path.unlink()
    reader.drain()
    reader = read(reader.stored())
    assert reader.drain() == []
    path.write_bytes(LONG + b"more\n")
    (payload,) = reader.drain()
    assert (payload.resource, payload.start, payload.data) == ("A.csv", len(LONG), b"more\n")
    assert payload.digest == zlib.crc32(LONG + b"more\n")


def test_deleted_file_that_comes_back_with_other_content_is_a_new_resource(
    folder: Path, read: Any, content: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    path.unlink()
    reader.drain()
    path.write_bytes(b"eins\nzwei\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": b"eins\nzwei\n"}
    assert told(reader) == ["deleted", "replaced"]


def test_file_deleted_while_nobody_looked_is_noticed_after_a_resume(folder: Path, read: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    path.unlink()
    resumed = read(reader.stored())
    resumed.drain()
    assert told(resumed) == ["deleted"]


def test_deleted_files_are_remembered_up_to_a_bound(folder: Path, read: Any) -> None:
    reader = read(remember_deleted=3)
    for number in range(5):
        path = folder / f"{number}.csv"
        path.write_bytes(b"one\n")
        reader.drain()
        path.unlink()
        reader.drain()
    assert list(reader.stored()["files"]) == ["2.csv", "3.csv", "4.csv"]


def test_deleted_empty_file_is_not_remembered(folder: Path, read: Any) -> None:
    reader = read()
    (folder / "A.csv").write_bytes(b"on")
    reader.drain()
    (folder / "A.csv").unlink()
    reader.drain()
    assert reader.stored()["files"] == {}


def test_file_that_came_back_is_not_forgotten(folder: Path, read: Any) -> None:
    reader = read(remember_deleted=1)
    for name in ("A.csv", "A.csv", "B.csv", "C.csv"):
        (folder / name).write_bytes(b"one\n")
        reader.drain()
        (folder / name).unlink()
        reader.drain()
        if name == "A.csv":
            (folder / name).write_bytes(b"one\n")
            reader.drain()
    assert set(reader.stored()["files"]) == {"A.csv", "C.csv"}
    assert len([payload for payload in reader.payloads if payload.resource == "A.csv"]) == 1


def test_file_of_which_nothing_was_emitted_keeps_its_resource(
    folder: Path, read: Any, overwrite: Any, content: Any
) -> None:
    (folder / "A.csv").write_bytes(b"half")
    reader = read()
    reader.drain()
    overwrite(folder / "A.csv", b"h")
    reader.drain()
    overwrite(folder / "A.csv", b"hole\n")
    assert content(reader.drain()) == {"A.csv": b"hole\n"}
    assert told(reader) == []
    renamed_over(folder / "A.csv", b"other\n")
    assert content(reader.drain()) == {"A.csv~2": b"other\n"}


def test_file_that_loses_unread_lines_tells_so(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read()
    reader.until(lambda: len(reader.payloads) > 0, 10_000)
    os.truncate(path, 30_000)
    reader.drain()
    assert content(reader.payloads) == {"A.csv": LONG[:30_000][: LONG[:30_000].rfind(b"\n") + 1]}
    (notice,) = reader.noticed("truncated")
    assert notice.data == {"resource": "A.csv", "unread": len(LONG) - 30_000}


def test_file_replaced_before_it_was_read_tells_its_loss(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    reader = read(poll_s=60)
    reader.settle()
    path.write_bytes(b"one\n")
    # a look has found the file, nothing of it was read yet
    assert not reader.partition.caught_up()
    renamed_over(path, b"other\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"other\n"}
    (notice,) = reader.noticed("replaced")
    assert (notice.data["resource"], notice.data["unread"]) == ("A.csv", 4)


def test_other_file_that_took_over_an_inode_is_not_read(
    folder: Path, read: Any, overwrite: Any, content: Any
) -> None:
    (folder / "A.csv").write_bytes(b"half")
    reader = read()
    reader.drain()
    (folder / "A.csv").rename(folder / "X.tmp")
    overwrite(folder / "X.tmp", b"nothing of alpha's\n")
    (folder / "A.csv").write_bytes(b"one\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n"}


def test_many_deleted_files_are_summed_up(folder: Path, read: Any) -> None:
    for number in range(30):
        (folder / f"{number}.csv").write_bytes(b"one\ntwo")
    reader = read(poll_s=60)
    reader.settle()
    for path in folder.iterdir():
        path.unlink()
    reader.drain()
    notices = reader.noticed("deleted")
    assert len(notices) == 11
    assert notices[-1].data == {"files": 20, "unread": 60}


def test_rotated_file_is_read_to_its_end_before_its_successor(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    append(path, b"two\nthr")
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    append(folder / "A.csv.1", b"ee\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\nthree\n", "A.csv~2": b"eins\n"}
    assert [payload.resource for payload in reader.payloads][-1] == "A.csv~2"
    (notice,) = reader.noticed("replaced")
    assert "A.csv.1" in notice.message
    assert notice.data["unread"] == 0


def test_rotated_file_without_successor_is_read_to_its_end(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    append(path, b"two\nthr")
    path.rename(folder / "A.csv.1")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\n"}
    (notice,) = reader.noticed("deleted")
    assert "A.csv.1" in notice.message
    assert notice.data["unread"] == 3


def test_writer_that_keeps_a_rotated_file_open_is_followed(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    reader = read(rotation_wait_s=0.3)
    with path.open("wb", buffering=0) as file:
        file.write(b"one\n")
        reader.drain()
        path.rename(folder / "A.csv.1")
        path.write_bytes(b"eins\n")
        reader.until(lambda: not reader.partition.caught_up())
        for number in range(5):
            file.write(b"late %d\n" % number)
            reader.until(lambda number=number: reader.payloads[-1].data == b"late %d\n" % number)
    reader.drain()
    assert content(reader.payloads) == {
        "A.csv": b"one\n" + b"".join(b"late %d\n" % number for number in range(5)),
        "A.csv~2": b"eins\n",
    }


def test_file_that_was_empty_when_it_was_last_seen_is_found_after_a_resume(
    folder: Path, read: Any, content: Any
) -> None:
    path = folder / "A.csv"
    path.touch()
    reader = read()
    reader.drain()
    stored = reader.stored()
    path.write_bytes(b"one\n")
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    assert content(read(stored).drain()) == {"A.csv": b"one\n", "A.csv~2": b"eins\n"}


def test_file_rotated_while_nobody_looked_is_found_after_a_resume(
    folder: Path, read: Any, content: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    first = reader.drain()
    append(path, b"two\n")
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    assert content(first + read(reader.stored()).drain()) == {"A.csv": b"one\ntwo\n", "A.csv~2": b"eins\n"}


def test_rotated_file_is_read_even_if_its_successor_begins_alike(
    folder: Path, read: Any, content: Any
) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    append(path, b"two\n")
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"one\neins\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\n", "A.csv~2": b"one\neins\n"}


def test_backup_of_a_file_that_goes_on_is_no_rotation(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\n")
    reader = read()
    reader.drain()
    path.rename(folder / "A.csv~")
    path.write_bytes(b"one\ntwo\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\ntwo\n"}
    assert told(reader) == []


def test_half_line_that_was_completed_and_rotated_is_not_lost(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"on")
    reader = read()
    reader.drain()
    append(path, b"e\n")
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": b"eins\n"}


def test_empty_file_that_was_written_and_rotated_is_not_lost(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.touch()
    reader = read(poll_s=60)
    reader.settle()
    append(path, b"one\n")
    path.rename(folder / "A.old")
    path.write_bytes(b"eins\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": b"eins\n"}


def test_file_rotated_twice_is_still_read_to_its_end(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(LONG)
    reader = read(rotation_wait_s=30)
    reader.until(lambda: len(reader.payloads) > 0, 5000)
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    count = len(reader.payloads)
    reader.until(lambda: len(reader.payloads) > count + 1, 5000)
    (folder / "A.csv.1").rename(folder / "A.csv.2")
    reader.until(lambda: sum(len(payload.data) for payload in reader.payloads) == len(LONG), 5000)
    (folder / "A.csv.2").unlink()
    reader.drain()
    assert content(reader.payloads) == {"A.csv": LONG, "A.csv~2": b"eins\n"}
    assert told(reader) == ["replaced"]


def test_untouched_file_rotated_before_it_was_read_is_not_lost(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    reader = read(poll_s=60)
    reader.settle()
    path.write_bytes(b"one\n")
    # a look has found the file, nothing of it was read yet
    assert not reader.partition.caught_up()
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": b"eins\n"}


def test_rotated_file_that_is_deleted_too_tells_its_loss(folder: Path, read: Any, content: Any) -> None:
    path = folder / "A.csv"
    path.write_bytes(b"one\ntw")
    reader = read(rotation_wait_s=30)
    reader.drain()
    path.rename(folder / "A.csv.1")
    path.write_bytes(b"eins\n")
    reader.until(lambda: not reader.partition.caught_up())
    (folder / "A.csv.1").unlink()
    reader.drain()
    assert reader.noticed("replaced")[0].data["unread"] == 2
    assert content(reader.payloads) == {"A.csv": b"one\n", "A.csv~2": b"eins\n"}
