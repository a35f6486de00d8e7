"""Whole lines from an open file, and whether the file is still the one that was read before.

Every function works on a descriptor with `os.pread`, which lets other threads run, and may raise OSError.
"""

import os
import stat
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from fleetflow.native.files import EDGE_BYTES, FileReader, Known, file_reader
from fleetflow_alpha.state import HEAD_BYTES, TAIL_BYTES, FileState, Look

SHORT_REST = 1 << 16
"""A rest up to this length is searched again with what follows: a writer may have corrected it."""

NOBODY = Known(-1, 0, 0, 0, 0, 0, 0, 0, 0)

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Lines(NamedTuple):
    """Some whole lines, from the offset on.

    No newline is between the end of `data` and `searched`. `looked` bytes were looked through. `ended`
    says that the file ended before the size it claimed.
    """

    data: bytes
    searched: int
    looked: int
    ended: bool = False


class Fetched(NamedTuple):
    """A file that was opened: its descriptor, which is to be closed, and its look, None for no regular file.

    `lines` and `tail` are what `read_lines` and `matching_tail` return, and were asked in this order, where
    the file is plainly the one that was read before; else `lines` is None, and nothing was read. With `sums`,
    what `advance` would find, the descriptor is -1: the file was closed already.
    """

    fd: int
    look: Look | None
    lines: Lines | None = None
    tail: bytes | None = None
    sums: tuple[int, int, int, int, int] | None = None


def many_reader() -> FileReader | None:
    """Return what does in one call with many files what `fetch` does; None where there is no such thing."""
    return file_reader() if HEAD_BYTES == TAIL_BYTES == EDGE_BYTES else None


def fetch_many(
    reader: FileReader,
    paths: Sequence[str],
    wanted: Sequence[tuple[FileState, int]],
    block: int,
    most_s: float,
) -> list[tuple[Fetched | None, float]]:
    """Fetch several files; each is told with how long it had to be waited for.

    None stands for one that is better fetched alone. Returns fewer when that took longer than `most_s`.
    """
    fetched: list[tuple[Fetched | None, float]] = []
    for (state, _), (part, wait_s) in zip(
        wanted,
        reader.read(paths, [_known(state, want, block) for state, want in wanted], most_s),
        strict=False,
    ):
        found = None
        if part is not None:
            searched = state.offset + part.looked
            found = Fetched(-1, Look(*part.look), Lines(part.data, searched, part.looked), b"", part.sums)
        fetched.append((found, wait_s))
    return fetched


def _known(state: FileState, want: int, block: int) -> Known:
    offset, searched = state.offset, state.searched
    if state.alias or searched - offset > min(SHORT_REST, block):
        # no file has this inode number: to be fetched alone
        return NOBODY
    return Known(
        state.look.inode,
        searched,
        offset,
        want,
        state.crc,
        state.head_bytes,
        state.head_crc,
        state.tail_bytes,
        state.tail_crc,
    )


def fetch(path: str, state: FileState, want: int, block: int) -> Fetched:
    """Open a file and, unless its look is strange, read what follows; changes nothing of `state`."""
    fd = open_file(path)
    try:
        look = look_at(fd)
        if look is None or state.alias or look.inode != state.look.inode or look.size < state.searched:
            return Fetched(fd, look)
        lines = read_lines(fd, state, look.size, want, block)
        return Fetched(fd, look, lines, matching_tail(fd, state))
    # whatever it was, nobody else knows the descriptor
    except BaseException:
        os.close(fd)
        raise


def open_file(path: str) -> int:
    """Open a file for reading; returns the descriptor. Does not wait for the other end of a pipe."""
    return os.open(path, _FLAGS)


def look_at(fd: int) -> Look | None:
    """Return what `fstat` tells, None for anything but a regular file."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        return None
    return Look(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_lines(fd: int, state: FileState, size: int, want: int, block: int) -> Lines:
    """Read whole lines from `state.offset`: about `want` bytes, but at least one line, however long.

    A line that does not end in what was looked through, at most 8 blocks or `want`, is not kept in memory:
    the next call searches on from `searched`, and reads the line once its newline was found.
    """
    offset = state.offset
    at = state.searched if state.searched - offset > min(SHORT_REST, block) else offset
    looked, length = 0, want
    while at < size and looked < max(want, 8 * block):
        chunk = os.pread(fd, min(length, size - at), at)
        if not chunk:
            return Lines(b"", at, looked, ended=True)
        # all lines of the first chunk; of what has to be read beyond it only the end of the one long line
        cut = 1 + (chunk.find(b"\n") if looked else chunk.rfind(b"\n"))
        searched = at + (cut if looked and cut else len(chunk))
        looked += len(chunk)
        if cut:
            data = chunk if cut == len(chunk) else chunk[:cut]
            if at > offset:
                begun = read_exactly(fd, offset, at - offset)
                if len(begun) < at - offset:
                    return Lines(b"", offset, looked, ended=True)
                data = begun + data
            return Lines(data, searched, looked)
        at, length = searched, block
    return Lines(b"", at, looked)


def read_exactly(fd: int, offset: int, length: int) -> bytes:
    """Return `length` bytes from `offset`, fewer only when the file ends there."""
    data = os.pread(fd, length, offset)
    if len(data) == length or not data:
        return data
    parts, got = [data], len(data)
    while got < length:
        part = os.pread(fd, length - got, offset + got)
        if not part:
            break
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def matching_tail(fd: int, state: FileState) -> bytes | None:
    """Return the last bytes before the offset if they and the head are those that were read, else None.

    Asked after reading what follows: the lines then belong to the same content, even if the file was
    overwritten at that very moment.
    """
    if state.head_bytes:
        head = read_exactly(fd, 0, state.head_bytes)
        if len(head) < state.head_bytes or zlib.crc32(head) != state.head_crc:
            return None
        if state.head_bytes == state.offset:
            return head[-state.tail_bytes :]
    tail = read_exactly(fd, state.offset - state.tail_bytes, state.tail_bytes) if state.tail_bytes else b""
    if len(tail) < state.tail_bytes or zlib.crc32(tail) != state.tail_crc:
        return None
    return tail


def advance(
    state: FileState, tail: bytes, lines: Lines, sums: tuple[int, int, int, int, int] | None = None
) -> None:
    """Move the state behind `lines`; `tail` is what `matching_tail` returned, not needed with `sums`."""
    data = lines.data
    if sums is not None:
        state.crc, state.head_bytes, state.head_crc, state.tail_bytes, state.tail_crc = sums
        state.offset += len(data)
        state.told_long = False
        return
    if not state.offset:
        # the head's CRC-32 is where that of all goes on: nothing is gone through twice
        head = data[:HEAD_BYTES]
        state.head_bytes, state.head_crc = len(head), zlib.crc32(head)
        rest = data[HEAD_BYTES:]
        state.crc = zlib.crc32(rest, state.head_crc) if rest else state.head_crc
    else:
        missing = HEAD_BYTES - state.head_bytes
        if missing > 0:
            more = data[:missing]
            state.head_crc = zlib.crc32(more, state.head_crc)
            state.head_bytes += len(more)
        state.crc = zlib.crc32(data, state.crc)
    last = data[-TAIL_BYTES:]
    if len(last) < TAIL_BYTES:
        last = (tail + last)[-TAIL_BYTES:]
    state.tail_bytes, state.tail_crc = len(last), zlib.crc32(last)
    state.offset += len(data)
    state.told_long = False


def compare(fd: int, state: FileState, inode: int, want: int, block: int) -> bool | None:
    """Compare all bytes before the offset with those that were read, about `want` per call.

    Returns None as long as the comparison is under way; it goes on with the next call for one inode.
    """
    known, at, crc = state.compared
    if known != inode:
        at = crc = 0
    looked = 0
    while at < state.offset and looked < want:
        part = os.pread(fd, min(block, state.offset - at), at)
        if not part:
            return False
        crc = zlib.crc32(part, crc)
        at += len(part)
        looked += len(part)
    state.compared = (inode, at, crc)
    return None if at < state.offset else crc == state.crc
