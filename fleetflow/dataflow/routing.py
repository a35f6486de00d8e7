"""Under which keys shards travel, so that each worker gets its share of them. Stored data.

Bytewax hashes a key and takes the remainder by the number of workers, which is even only by chance: of the
bare names "0000" to "0007" one of two workers got five, one of four got half of all and one got none. So
each name has a suffix with which its hash leaves the shard's own number as remainder.
"""

from __future__ import annotations

from fleetflow.dataflow.sharding import shard_name

KEYS = 2
"""The version of the keys; 1 were the bare names. What is stored under those of another is nobody's."""

MODULUS = 1680
"""The least number with 1 to 8, 10, 12, 14, 15 and 16 as factors: so many workers share shards evenly."""

# fmt: off
SUFFIXES = (
    724, 1367, 1975, 2523, 3, 1006, 651, 380, 1524, 893, 1185, 3606, 788, 5444, 226, 748, 3463, 846, 1285,
    801, 448, 4010, 878, 614, 2009, 1486, 272, 1984, 380, 932, 190, 273, 1771, 1800, 2683, 2516, 1048, 1970,
    5490, 266, 52, 1905, 963, 364, 1072, 869, 185, 60, 3182, 5579, 2589, 1793, 1449, 114, 1780, 2160, 215,
    916, 1097, 2516, 3561, 406, 2309, 6604,
)
# fmt: on
"""For each of the first 64 shards the least suffix for which hash % MODULUS is the shard's number. The hash
is Rust's `DefaultHasher`, SipHash-1-3 with a key of zeros. More shards than these get theirs by chance."""


def shard_key(shard: int) -> str:
    """Return the key under which a shard travels and its state is stored."""
    name = shard_name(shard)
    return f"{name}.{SUFFIXES[shard]}" if shard < len(SUFFIXES) else name


def shard_of_key(key: str) -> int:
    """Return the shard that travels under a key."""
    return int(key.partition(".")[0])
