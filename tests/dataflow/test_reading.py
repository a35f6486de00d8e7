"""Partitions of one worker take turns while there is a backlog."""

from datetime import UTC, datetime

from fleetflow.contracts.payload import Payload
from fleetflow.dataflow.reading import Reading
from fleetflow.dataflow.stop import StopFlag

FULL = 100


class Source:
    """Partitions that have so many bytes each, and hand out at most what they are asked for."""

    name = "test"

    def __init__(self, **sizes):
        self.sizes = sizes

    def partitions(self):
        return list(self.sizes)

    def open(self, partition, position):
        return Partition(self.sizes, partition)


class Partition:
    def __init__(self, sizes, name):
        self.sizes, self.name = sizes, name

    def poll(self, max_bytes):
        size = min(max_bytes, self.sizes[self.name])
        self.sizes[self.name] -= size
        if not size:
            return []
        return [Payload("test", self.name, "file", 0, size, b"x" * size, "text/csv", 0.0)]

    def next_poll_s(self):
        return 1.0

    def caught_up(self):
        return not self.sizes[self.name]

    def position(self):
        return None

    def close(self):
        pass


def rounds(source, most=100):
    """Ask all partitions in turn, as Bytewax does, until nothing is left; returns who gave how much."""
    reading = Reading(source, FULL, StopFlag(), once=False)
    parts = {name: reading.build_part("read", name, None) for name in reading.list_parts()}
    found = []
    for _ in range(most):
        found.append(
            {
                name: sum(len(p.data) for p in batch)
                for name, part in parts.items()
                if (batch := part.next_batch())
            }
        )
        if not any(source.sizes.values()):
            break
    return [each for each in found if each]


def test_a_full_batch_ends_the_round_and_everybody_has_a_turn():
    assert rounds(Source(a=250, b=120, c=10)) == [
        {"a": 100},
        {"b": 100},
        {"c": 10},
        {"a": 100},
        {"b": 20},
        {"a": 50},
    ]


def test_small_batches_are_not_held_up():
    assert rounds(Source(a=10, b=20, c=30)) == [{"a": 10, "b": 20, "c": 30}]


def test_who_has_to_wait_is_asked_again_at_once():
    reading = Reading(Source(a=100, b=100), FULL, StopFlag(), once=False)
    parts = [reading.build_part("read", name, None) for name in reading.list_parts()]
    assert [len(part.next_batch()) for part in parts] == [1, 0]
    assert parts[1].next_awake() <= datetime.now(UTC)


def test_all_sources_of_a_worker_have_one_pace():
    parts = [
        Reading(Source(a=1), FULL, StopFlag(), once=False).build_part("read", "a", None) for _ in range(2)
    ]
    assert parts[0]._pace is parts[1]._pace
