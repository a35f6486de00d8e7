"""Integer sequences as bytes: zigzag, then base-128 varints, little end first.

Neighbouring vertices of a shape lie close together, so their differences fit in one or two bytes, and
the compressor of the data file does the rest. The format is that of Protocol Buffers' ``sint64``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MAX_BYTES = 10


def encode(values: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Pack signed integers into a byte array that `decode` reads back exactly."""
    signed = np.asarray(values, dtype=np.int64)
    rest = ((signed << 1) ^ (signed >> 63)).astype(np.uint64)
    groups = np.empty((len(rest), _MAX_BYTES), dtype=np.uint8)
    used = np.ones(len(rest), dtype=np.int64)
    for column in range(_MAX_BYTES):
        groups[:, column] = rest & np.uint64(0x7F)
        rest >>= np.uint64(7)
        used += rest > 0
    column_of = np.arange(_MAX_BYTES)
    groups[column_of < used[:, None] - 1] |= 0x80
    return groups[column_of < used[:, None]]


def decode(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Unpack what `encode` packed; a sequence cut inside a number raises ``ValueError``."""
    if not len(packed):
        return np.empty(0, dtype=np.int64)
    last = packed < 0x80
    if not last[-1]:
        raise ValueError("varint sequence ends inside a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    place = np.arange(len(packed)) - np.repeat(starts, ends - starts + 1)
    parts = (packed & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    zigzag = np.add.reduceat(parts, starts)
    return (zigzag >> np.uint64(1)).astype(np.int64) ^ -(zigzag & np.uint64(1)).astype(np.int64)
