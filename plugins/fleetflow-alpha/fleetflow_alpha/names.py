"""File names as resources, and the partition of a file.

Both are stored data: names of resources are in the ledger and in positions, and the partition of a file
decides where its position is looked for. They never change.
"""

import hashlib
import os
import re

_AMBIGUOUS_END = re.compile(rb"~(?=[0-9]+\Z)")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def to_key(name: str) -> str:
    r"""Return the file name as text that every encoder takes, different for different names.

    `name` is as `os.scandir` gives it (bytes that are not UTF-8 as lone surrogates). Those bytes become
    `\xff`, a backslash becomes `\x5c`, and the tilde in a name that ends like a later generation (`a~2`)
    becomes `\x7e`; every other name stays as it is.
    """
    if name.isascii() and "\\" not in name and "~" not in name:
        return name
    raw = os.fsencode(name)
    raw = _AMBIGUOUS_END.sub(rb"\\x7e", raw.replace(b"\\", rb"\x5c"))
    return raw.decode("utf-8", "backslashreplace")


def to_name(key: str) -> str:
    """Return the file name of which `to_key` made `key`."""
    raw = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), key.encode("utf-8"))
    return os.fsdecode(raw)


def resource(key: str, generation: int) -> str:
    """Return the resource's name: the file's, with `~2`, `~3`, … when the file was replaced or truncated."""
    return key if generation == 1 else f"{key}~{generation}"


def shard_of(name: str, shards: int) -> int:
    """Return the number of the partition that reads the file `name`: BLAKE2b of its bytes modulo `shards`.

    Of a CRC modulo 8 the digit in `feed-0.csv` to `feed-7.csv` changes nothing: one partition would read all.
    """
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def partition(source: str, shard: int) -> str:
    """Return the name of partition number `shard`."""
    return f"{source}-{shard:02d}"
