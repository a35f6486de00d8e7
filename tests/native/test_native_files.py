"""Files that are read in C: the plain ones, and of all others None."""

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.native.files import EDGE_BYTES, Known, file_reader
from fleetflow.native.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")

LONG_S = 60.0
NEW = Known(0, 0, 0, 1 << 20, 0, 0, 0, 0, 0)


def known(path, before=b"", want=1 << 20):
    head, tail = before[:EDGE_BYTES], before[-EDGE_BYTES:]
    sums = (zlib.crc32(before), len(head), zlib.crc32(head), len(tail), zlib.crc32(tail))
    return Known(path.stat().st_ino, len(before), len(before), want, *sums)


def looks(path):
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read(*files):
    opened = descriptors()
    paths, every = zip(*files, strict=True)
    found = file_reader().read([str(path) for path in paths], every, LONG_S)
    assert descriptors() == opened
    assert len(found) == len(files)
    assert all(wait_s >= 0 or part for part, wait_s in found)
    return [part for part, _ in found]


def descriptors():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


LINES = st.lists(
    st.one_of(st.binary(max_size=40), st.integers(0, 3 * EDGE_BYTES).map(lambda size: b"x" * size)),
    max_size=6,
).map(lambda lines: b"".join(line.replace(b"\n", b"") + b"\n" for line in lines))


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, LINES.filter(bool), st.binary(max_size=9)), min_size=1, max_size=5))
def test_what_follows_is_read_with_its_sums(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("files")
    asked = []
    for number, (before, after, rest) in enumerate(files):
        path = folder / str(number)
        path.write_bytes(before + after + rest.replace(b"\n", b""))
        asked.append((path, known(path, before)))
    for (path, file), part, (before, after, _) in zip(asked, read(*asked), files, strict=True):
        assert part.look == looks(path)
        assert part.data == after
        assert part.looked == path.stat().st_size - len(before)
        assert part.sums == known(path, before + after)[4:]
        assert file.want == 1 << 20


def test_no_more_is_read_than_wanted(tmp_path):
    path = tmp_path / "A"
    path.write_bytes(b"one\ntwo\nthree\n")
    (part,) = read((path, known(path, want=9)))
    assert (part.data, part.looked) == (b"one\ntwo\n", 9)


def test_nothing_new_is_no_lines(tmp_path):
    empty, same = tmp_path / "empty", tmp_path / "same"
    empty.touch()
    same.write_bytes(b"one\n" * 3000)
    parts = read((empty, known(empty)), (same, known(same, same.read_bytes())))
    assert [(part.data, part.looked) for part in parts] == [(b"", 0), (b"", 0)]


@pytest.mark.parametrize("before", [b"one\n", b"one\n" * 1500, b"one\n" * 5000])
@pytest.mark.parametrize("place", [0, -1])
def test_other_content_is_left_to_others(tmp_path, before, place):
    path = tmp_path / "A"
    other = bytearray(before)
    other[place] ^= 1
    path.write_bytes(bytes(other) + b"two\n")
    assert read((path, known(path, before))) == [None]


def test_what_is_no_plain_file_is_left_to_others(tmp_path):
    plain, half, short, pipe, other = (
        tmp_path / name for name in ("plain", "half", "short", "pipe", "other")
    )
    for path in (plain, other):
        path.write_bytes(b"one\n")
    half.write_bytes(b"one")
    short.write_bytes(b"on")
    os.mkfifo(pipe)
    strange = [
        (half, known(half)),
        (short, known(short, b"one\n")),
        (pipe, known(pipe)),
        (tmp_path, known(tmp_path)),
        (tmp_path / "missing", NEW),
        (other, known(plain)),
        (tmp_path / "a\0b", NEW),
    ]
    for file in strange:
        assert read(file) == [None]
    found = read((plain, known(plain)), *strange[:-1], (plain, known(plain)))
    assert [part and part.data for part in found] == [b"one\n", *[None] * 6, b"one\n"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": -1},
        {"want": 0},
        {"want": -5},
        {"head_bytes": EDGE_BYTES + 1},
        {"head_bytes": 5},
        {"tail_bytes": EDGE_BYTES + 1},
        {"tail_bytes": -1},
        {"inode": 2**63},
        {"searched": 1 << 40},
    ],
)
def test_numbers_that_cannot_be_are_left_to_others(tmp_path, wrong):
    path = tmp_path / "A"
    path.write_bytes(b"one\n")
    assert read((path, known(path)._replace(**wrong))) == [None]


def test_names_may_have_any_bytes(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9 \n.csv"))
    path.write_bytes(b"one\n")
    (part,) = read((path, known(path)))
    assert part.data == b"one\n"


def test_where_time_is_over_at_least_one_is_read(tmp_path):
    path = tmp_path / "A"
    path.write_bytes(b"one\n")
    opened = descriptors()
    found = file_reader().read([str(path)] * 3, [known(path)] * 3, 0.0)
    assert [part.data for part, _ in found] == [b"one\n"]
    assert descriptors() == opened


def test_a_look_tells_what_changed_and_leaves_what_is_no_file_to_others(tmp_path):
    paths = [tmp_path / name for name in ("A", "B", "C", os.fsdecode(b"\xff"), "folder", "pipe")]
    for path in paths[:4]:
        path.write_bytes(b"one\n")
    paths[4].mkdir()
    os.mkfifo(paths[5])
    before = [looks(path) for path in paths]
    paths[1].write_bytes(b"two, longer\n")
    paths[2].unlink()
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        names = [path.name for path in paths]
        found = [look for look, _ in file_reader().look(directory, names, before, LONG_S)]
        assert found[0] is before[0]
        assert found[1] == looks(paths[1])
        assert found[3] is before[3]
        assert [found[2], *found[4:]] == [None, None, None]
        assert len(file_reader().look(directory, names, before, 0.0)) == 1
        assert file_reader().look(directory, ["A"], [(2**64, 0, 0, 0)], LONG_S) == [(None, 0.0)]
    finally:
        os.close(directory)
