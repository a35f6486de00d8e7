"""Many files opened, looked at and read in one call, in C, while other threads run.

What is done is the plain case only: a regular file that goes on where it was left. Of any other one None is
returned, and who asked judges it.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from fleetflow.native.library import library

EDGE_BYTES = 4096
"""At most so many bytes of a file's beginning, and of what precedes the offset, are compared."""
_SAME, _OTHER = 0, 1

_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype = ctypes.py_object
_new_bytes.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)


class Known(NamedTuple):
    """What is known of a file, and how many bytes are wanted: `Known` of files.c.

    `crc` is the CRC-32 of all bytes before `offset`, the others are of the head and of the bytes before it.
    """

    inode: int
    searched: int
    offset: int
    want: int
    crc: int
    head_bytes: int
    head_crc: int
    tail_bytes: int
    tail_crc: int


class Part(NamedTuple):
    """Whole lines from `offset` on, of `looked` bytes, and the file's inode, size and times.

    `sums` are `crc` to `tail_crc` of `Known` behind these lines; of no lines they say nothing.
    """

    look: tuple[int, int, int, int]
    looked: int
    data: bytes
    sums: tuple[int, int, int, int, int]


class _Found(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            *("descriptor", "inode", "size", "mtime_ns", "ctime_ns", "length", "got", "cut", "crc"),
            *("head_bytes", "head_crc", "tail_bytes", "tail_crc", "wait_ns"),
        )
    )


_NUMBERS = ctypes.sizeof(_Found) // 8


class FileReader:
    """Reads and looks at many files at once.

    Both return what they found of the first files, of at least one, each with the seconds that had to be
    waited for it: no other one is begun after `most_s`.
    """

    def __init__(self, found: ctypes.CDLL) -> None:
        self._library = found
        for function in (found.fleetflow_files_open, found.fleetflow_files_read, found.fleetflow_files_look):
            function.restype = ctypes.c_int64

    def read(
        self, paths: Sequence[str], known: Sequence[Known], most_s: float
    ) -> list[tuple[Part | None, float]]:
        """Read what follows in files."""
        try:
            numbers = array("q", [number for file in known for number in file])
            names = _joined(paths)
        except (OverflowError, ValueError):
            # numbers or names that C does not know
            return [(None, 0.0)] * len(paths)
        before = (ctypes.c_char * (8 * len(numbers))).from_buffer(numbers)
        most_ns = ctypes.c_int64(int(most_s * 1e9))
        found = array("q", bytes(8 * _NUMBERS * len(paths)))
        after = (ctypes.c_char * (8 * len(found))).from_buffer(found)
        opened = self._library.fleetflow_files_open(names, before, after, ctypes.c_int64(len(paths)), most_ns)
        try:
            # as long as they will be: what is read need not be copied
            data: list[bytes] = [
                _new_bytes(None, length) for length in found[5 : opened * _NUMBERS : _NUMBERS]
            ]
            buffers = (ctypes.c_char_p * opened)(*data)
            count = self._library.fleetflow_files_read(
                before, after, buffers, ctypes.c_int64(opened), most_ns
            )
        except BaseException:
            # those that are closed already are marked as such
            self._library.fleetflow_files_close(after, ctypes.c_int64(opened))
            raise
        every = found.tolist()
        parts: list[tuple[Part | None, float]] = []
        for place, piece in zip(range(0, count * _NUMBERS, _NUMBERS), data, strict=False):
            got, cut = every[place + 6], every[place + 7]
            part = None
            if cut >= 0:
                whole = piece if cut == len(piece) else piece[:cut]
                inode, size, mtime_ns, ctime_ns = every[place + 1 : place + 5]
                crc, head_bytes, head_crc, tail_bytes, tail_crc = every[place + 8 : place + 13]
                look, sums = (
                    (inode, size, mtime_ns, ctime_ns),
                    (crc, head_bytes, head_crc, tail_bytes, tail_crc),
                )
                part = Part(look, got, whole, sums)
            parts.append((part, every[place + 13] * 1e-9))
        return parts

    def look(
        self, directory: int, names: Sequence[str], looks: Sequence[tuple[int, int, int, int]], most_s: float
    ) -> list[tuple[tuple[int, int, int, int] | None, float]]:
        """Look at files of the directory that is open as `directory`: inode, size and times of change.

        What looks as `looks` says is answered with the very same object.
        """
        try:
            numbers = array("q", [number for look in looks for number in look])
            joined = _joined(names)
        except (OverflowError, ValueError):
            return [(None, 0.0)] * len(names)
        states = bytearray(len(names))
        waits = array("q", bytes(8 * len(names)))
        done = self._library.fleetflow_files_look(
            ctypes.c_int(directory),
            joined,
            (ctypes.c_char * (8 * len(numbers))).from_buffer(numbers),
            (ctypes.c_char * len(states)).from_buffer(states),
            (ctypes.c_char * (8 * len(waits))).from_buffer(waits),
            ctypes.c_int64(len(names)),
            ctypes.c_int64(int(most_s * 1e9)),
        )
        answers: list[tuple[tuple[int, int, int, int] | None, float]] = []
        for place, state, wait in zip(range(done), states, waits, strict=False):
            answer: Any = None
            if state == _SAME:
                answer = looks[place]
            elif state == _OTHER:
                answer = tuple(numbers[4 * place : 4 * place + 4])
            answers.append((answer, wait * 1e-9))
        return answers


def _joined(names: Sequence[str]) -> bytes:
    joined = os.fsencode("\0".join(names)) + b"\0"
    if joined.count(b"\0") != len(names):
        raise ValueError("a name with NUL")
    return joined


def file_reader() -> FileReader | None:
    """Return a reader of many files; None where nothing was compiled."""
    found = library()
    return None if found is None else FileReader(found)
