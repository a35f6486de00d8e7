"""Each worker gets its share of the shards: asked of Bytewax itself, and of its hash for more workers."""

import threading
from collections import Counter

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, cluster_main

from fleetflow.dataflow.conflation import Conflator
from fleetflow.dataflow.routing import MODULUS, SUFFIXES, shard_key, shard_of_key
from fleetflow.dataflow.sharding import shard_name
from fleetflow.dataflow.steps import ConflateLogic, DetectLogic
from fleetflow.errors import StoreError

WORD = (1 << 64) - 1


def test_keys_are_stored_data_and_do_not_change():
    assert [shard_key(shard) for shard in (0, 7, 63, 64)] == ["0000.724", "0007.380", "0063.6604", "0064"]
    assert [shard_of_key(shard_key(shard)) for shard in range(70)] == list(range(70))


class Where(StatefulBatchLogic):
    def on_batch(self, values):
        return [threading.get_ident()], False

    def snapshot(self):
        return None


def counts_of(keys, workers):
    """How many of the keys each worker of a Bytewax cluster gets that gets any."""
    out = []
    flow = Dataflow("where")
    keyed = op.input("read", flow, TestingSource([(key, 0) for key in keys], batch_size=len(keys)))
    op.output("write", op.stateful_batch("where", keyed, lambda state: Where()), TestingSink(out))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    return sorted(Counter(dict(out).values()).values())


@pytest.mark.parametrize(("workers", "shares"), [(2, [4, 4]), (3, [2, 3, 3]), (4, [2, 2, 2, 2])])
def test_bytewax_gives_each_worker_its_share_of_eight_shards(workers, shares):
    assert counts_of([shard_key(shard) for shard in range(8)], workers) == shares


def test_names_alone_were_shared_unevenly():
    # why there are suffixes at all: without this they can go
    assert counts_of([shard_name(shard) for shard in range(8)], 4) == [1, 3, 4]


def siphash_1_3(data):
    """SipHash-1-3 with a key of zeros (Aumasson and Bernstein, SipHash, 2012)."""
    a, b, c, d = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573

    def turned(word, bits):
        return (word << bits | word >> (64 - bits)) & WORD

    def mixed(a, b, c, d):
        a, c = (a + b) & WORD, (c + d) & WORD
        b, d, a = turned(b, 13) ^ a, turned(d, 16) ^ c, turned(a, 32)
        c, a = (c + b) & WORD, (a + d) & WORD
        return a, turned(b, 17) ^ c, turned(c, 32), turned(d, 21) ^ a

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        a, b, c, d = mixed(a, b, c, d ^ word)
        a ^= word
    c ^= 255
    for _ in range(3):
        a, b, c, d = mixed(a, b, c, d)
    return a ^ b ^ c ^ d


def test_every_suffix_leaves_the_shards_number_as_remainder():
    # Rust hashes a text with a byte after it that no text has
    found = [siphash_1_3(shard_key(shard).encode() + b"\xff") % MODULUS for shard in range(len(SUFFIXES))]
    assert found == list(range(64))


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16])
def test_the_remainder_decides_for_so_many_workers(workers):
    assert MODULUS % workers == 0


@pytest.mark.parametrize(
    "logic",
    [
        lambda state: DetectLogic([], [], state),
        lambda state: ConflateLogic(Conflator(8, 0.05), {}, state),
    ],
)
def test_what_was_stored_under_other_keys_is_refused_in_words(logic):
    with pytest.raises(StoreError, match="states of version 1, expected 2"):
        logic({"v": 1, "pending": None})
