"""Lines: which count, and in what portions they come."""

import os
import zlib
from pathlib import Path
from typing import Any

from fleetflow_alpha import reading

LINE = b"1N4AL21E08N000000,35.0006118,-94.9997,1795490000.515\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_half_written_line_waits_for_its_newline(folder: Path, read: Any, content: Any) -> None:
    (folder / "A.csv").write_bytes(b"one\ntwo\nthr")
    reader = read()
    assert content(reader.drain()) == {"A.csv": b"one\ntwo\n"}
    append(folder / "A.csv", b"ee")
    assert reader.drain() == []
    append(folder / "A.csv", b"\nfo")
    (payload,) = reader.drain()
    assert (payload.data, payload.start, payload.end) == (b"three\n", 8, 14)
    assert payload.digest == zlib.crc32(b"one\ntwo\nthree\n")
    assert (payload.source, payload.partition, payload.media_type) == ("alpha", "alpha-00", "text/csv")


def test_empty_file_gives_nothing_until_it_grows(folder: Path, read: Any, content: Any) -> None:
    (folder / "A.csv").touch()
    reader = read()
    assert reader.drain() == []
    assert reader.partition.caught_up()
    append(folder / "A.csv", b"one\n")
    assert content(reader.drain()) == {"A.csv": b"one\n"}


def test_file_without_final_newline_is_caught_up_but_for_its_rest(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(b"one")
    reader = read()
    assert reader.drain() == []
    assert reader.partition.caught_up()
    assert reader.partition.next_poll_s() > 0


def test_bytes_are_handed_on_as_they_are(folder: Path, read: Any, content: Any) -> None:
    data = b"\xff\xfe\x00,1\r\n\r\n\n\xef\xbb\xbfx\ry\n"
    (folder / "A.csv").write_bytes(data)
    assert content(read().drain()) == {"A.csv": data}


def test_new_file_is_found_while_running(folder: Path, read: Any, content: Any) -> None:
    (folder / "A.csv").write_bytes(LINE)
    reader = read()
    reader.drain()
    (folder / "B.csv").write_bytes(LINE * 2)
    # found by the thread too, not only by the look that caught_up takes
    assert content(reader.until(lambda: len(reader.payloads) == 2)) == {"B.csv": LINE * 2}


def test_name_that_does_not_match_is_not_read(folder: Path, read: Any, content: Any) -> None:
    for name in ("A.txt", ".B.csv", "C.csv.tmp", "D.csv"):
        (folder / name).write_bytes(LINE)
    assert content(read().drain()) == {"D.csv": LINE}
    assert set(content(read(pattern="*").drain())) == {"A.txt", "C.csv.tmp", "D.csv"}


def test_many_small_files_come_in_one_poll(folder: Path, read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("fleetflow_alpha.partition.POLL_AT_MOST_S", 60.0)
    for number in range(300):
        (folder / f"{number}.csv").write_bytes(LINE)
    reader = read()
    reader.until(lambda: len(reader.payloads) > 0)
    assert len(reader.payloads) == 300


def test_poll_returns_about_max_bytes(folder: Path, read: Any, content: Any) -> None:
    for name in "AB":
        (folder / f"{name}.csv").write_bytes(LINE * 1000)
    reader = read()
    most = 0
    payloads = []
    while not reader.partition.caught_up():
        got = reader.poll(10_000)
        most = max(most, sum(len(payload.data) for payload in got))
        payloads += got
    assert 8_000 < most <= 10_000
    assert content(payloads) == {"A.csv": LINE * 1000, "B.csv": LINE * 1000}


def test_poll_for_fewer_bytes_than_a_line_returns_one_line(folder: Path, read: Any, content: Any) -> None:
    (folder / "A.csv").write_bytes(LINE * 20)
    reader = read()
    payloads = reader.drain(1)
    assert [payload.data for payload in payloads] == [LINE] * 20
    assert content(payloads) == {"A.csv": LINE * 20}


def test_long_file_does_not_starve_short_ones(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(LINE * 20_000)
    for number in range(20):
        (folder / f"B{number}.csv").write_bytes(LINE)
    reader = read(block_bytes=65536)
    reader.drain(65536)
    order = [payload.resource for payload in reader.payloads]
    assert order.count("A.csv") >= 16
    last_short = max(at for at, resource in enumerate(order) if resource != "A.csv")
    assert order[:last_short].count("A.csv") <= 3


def test_more_is_asked_for_at_once(folder: Path, read: Any) -> None:
    (folder / "A.csv").write_bytes(LINE * 1000)
    reader = read()
    reader.until(lambda: len(reader.payloads) > 0, 4096)
    assert reader.partition.next_poll_s() == 0
    assert not reader.partition.caught_up()
    reader.drain()
    assert 0 < reader.partition.next_poll_s() <= 0.5


def test_line_longer_than_a_block_is_emitted_whole(folder: Path, read: Any, content: Any) -> None:
    data = b"a\n" + b"x" * 300_000 + b"\nb\n"
    (folder / "A.csv").write_bytes(data)
    payloads = read(block_bytes=4096).drain()
    assert content(payloads) == {"A.csv": data}
    assert max(payload.end - payload.start for payload in payloads) >= 300_001


def test_endless_line_is_reported_and_neither_kept_nor_searched_again(
    folder: Path, read: Any, monkeypatch: Any
) -> None:
    looked: list[int] = []
    pread = os.pread

    def counting(fd: int, length: int, offset: int) -> bytes:
        data = pread(fd, length, offset)
        looked.append(len(data))
        return data

    monkeypatch.setattr(reading.os, "pread", counting)
    path = folder / "A.csv"
    path.write_bytes(b"a\n")
    reader = read(max_line_bytes=1 << 20, block_bytes=1 << 16)
    reader.drain()
    for _ in range(40):
        append(path, b"x" * 100_000)
        assert reader.drain() == []
    (notice,) = reader.noticed("error")
    assert notice.data["resource"] == "A.csv"
    assert notice.data["offset"] == 2
    assert max(looked) <= 1 << 16
    assert sum(looked) < 2 * 40 * 100_000
    assert len(str(reader.stored())) < 1000

    resumed = read(reader.stored())
    assert resumed.drain() == []
    append(path, b"\nb\n")
    for each in (reader, resumed):
        payloads = each.drain()
        assert b"".join(payload.data for payload in payloads) == b"x" * 4_000_000 + b"\nb\n"
        assert payloads[-1].digest == zlib.crc32(path.read_bytes())
    assert len(reader.noticed("error")) == 1


def test_poll_ends_in_time_whatever_there_is(folder: Path, read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("fleetflow_alpha.partition.POLL_AT_MOST_S", 0.0)
    for number in range(5):
        (folder / f"{number}.csv").write_bytes(LINE)
    reader = read()
    reader.until(lambda: len(reader.payloads) == 5)
    assert len({payload.received_at for payload in reader.payloads}) == 5


def test_writer_that_corrects_its_half_line_is_followed(
    folder: Path, read: Any, overwrite: Any, content: Any
) -> None:
    (folder / "A.csv").write_bytes(b"one\ntwooo")
    reader = read()
    reader.drain()
    overwrite(folder / "A.csv", b"one\ntw")
    reader.drain()
    overwrite(folder / "A.csv", b"one\nt\nthree\n")
    reader.drain()
    assert content(reader.payloads) == {"A.csv": b"one\nt\nthree\n"}
    assert [notice.kind for notice in reader.notices if notice.kind != "progress"] == []


def test_file_that_ends_before_the_size_it_claims_is_caught_up(
    folder: Path, read: Any, monkeypatch: Any, content: Any
) -> None:
    look_at = reading.look_at

    def boasting(fd: int) -> Any:
        look = look_at(fd)
        return look and look._replace(size=look.size + 1000)

    monkeypatch.setattr(reading, "look_at", boasting)
    (folder / "A.csv").write_bytes(b"one\ntw")
    assert content(read().drain()) == {"A.csv": b"one\n"}
