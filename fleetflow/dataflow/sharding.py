"""Which shard a vehicle belongs to: CRC-32 of its VIN, modulo the number of shards. Stored data."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

FEW = 500
"""Fewer VINs are hashed one by one, which takes less than to begin with columns."""
SOME = 1000
"""Rows that tell whether the lines of a vehicle stand together."""
LONGEST = 64
"""VINs up to so many bytes are hashed by columns; longer ones, which are not valid, one by one."""


def shard_of(key: str, shards: int) -> int:
    """Return the shard of a VIN: CRC-32 of its UTF-8 bytes modulo `shards`; the same in every process."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % shards


def shard_name(shard: int) -> str:
    """Return the key under which a shard travels and is stored."""
    return f"{shard:04d}"


def shards_of(vins: pl.Series, shards: int) -> pl.Series:
    """Return the shard of each VIN (String, no nulls) as Int32: what `shard_of` tells of one.

    A quarter of the cost of hashing them one by one, and other threads go on meanwhile. For texts of one
    length a CRC is linear: the exclusive or of what each byte, standing where it stands among zeros, adds
    to the CRC of zeros alone (Hacker's Delight, chapter 14). So pairs of bytes are looked up in tables.
    """
    if len(vins) < FEW:
        return pl.Series("shard", [shard_of(vin, shards) for vin in vins.to_list()], pl.Int32)
    some = vins[:SOME]
    if len(some.rle()) * 4 <= len(some):
        # the lines of a vehicle stand together: each vehicle is asked for once
        runs = vins.rle().struct.unnest()
        if 0 < len(runs) * 4 <= len(vins):
            found = np.repeat(shards_of(runs["value"], shards).to_numpy(), runs["len"].to_numpy())
            return pl.Series("shard", found, pl.Int32)
    lengths = vins.str.len_bytes()
    different = lengths.unique().to_list()
    if len(different) == 1:
        return pl.Series("shard", _crcs(vins, different[0]) % shards, pl.Int32)
    found = np.empty(len(vins), np.int32)
    for length in different:
        rows = (lengths == length).arg_true()
        found[rows.to_numpy()] = _crcs(vins.gather(rows), length) % shards
    return pl.Series("shard", found, pl.Int32)


def _crcs(vins: pl.Series, length: int) -> npt.NDArray[np.uint32]:
    if length > LONGEST:
        return np.array([zlib.crc32(vin.encode()) for vin in vins.to_list()], np.uint32)
    crc, tables = _tables(length)
    found = np.full(len(vins), crc, np.uint32)
    if not length:
        return found
    data = pl.col("vin").cast(pl.Binary)
    words = vins.to_frame("vin").select(
        # whole words of 8 bytes, the last one filled up with zeros that are not looked up
        (data + pl.lit(bytes(-length % 8)))
        .bin.slice(start, 8)
        .bin.reinterpret(dtype=pl.UInt64, endianness="little")
        .alias(str(start))
        for start in range(0, length, 8)
    )
    for index, table in enumerate(tables):
        word = words[str(index // 4 * 8)].to_numpy()
        pairs = np.ascontiguousarray(word).astype("<u8", copy=False).view("<u2").reshape(-1, 4)
        found ^= table[pairs[:, index % 4]]
    return found


@lru_cache(maxsize=LONGEST)
def _tables(length: int) -> tuple[int, list[npt.NDArray[np.uint32]]]:
    """Return the CRC of `length` zeros and, per pair of bytes, what each of its values adds to it.

    Of the last byte of an odd length the pair's second byte is a filler, always zero.
    """
    zeros = bytes(length)
    crc = zlib.crc32(zeros)

    def adds(position: int) -> npt.NDArray[np.uint32]:
        before, after = zeros[:position], zeros[position + 1 :]
        return np.array([zlib.crc32(before + bytes([byte]) + after) ^ crc for byte in range(256)], np.uint32)

    tables = []
    for position in range(0, length, 2):
        first = adds(position)
        second = adds(position + 1) if position + 1 < length else np.zeros(1, np.uint32)
        tables.append((first[None, :] ^ second[:, None]).ravel())
    return crc, tables
