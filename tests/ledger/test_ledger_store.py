"""What the store remembers of its own writing changes nothing of what it writes."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.contracts.payload import Notice, Span
from fleetflow.ledger.recent import KEPT_RECENT_S
from fleetflow.ledger.store import FILE, LedgerStore

ONWARD = -1


def spans_of(steps):
    """Return spans: each begins where the last one of its resource ended, or where the step says."""
    ends, found = {}, []
    for resource, start, length in steps:
        begin = ends.get(resource, 0) if start == ONWARD else start
        ends[resource] = begin + length
        found.append(Span("alpha", "alpha-0", resource, begin, begin + length, length, begin + length))
    return found


def rows(folder):
    """Return the ranges, and what is remembered per resource, pieces that follow each other as one."""
    pieces = {}
    with closing(sqlite3.connect(folder / FILE)) as connection:
        ranges = connection.execute("select * from ranges order by id").fetchall()
        query = "select resource, again, start, end, records from recent order by id"
        for *key, start, end, records in connection.execute(query):
            found = pieces.setdefault(tuple(key), [])
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end, found[-1][2] + records)
            else:
                found.append((start, end, records))
    return [ranges, pieces]


def write(store, spans):
    store.write("0000", {}, {}, spans, ())


steps = st.tuples(st.sampled_from("ab"), st.sampled_from([ONWARD] * 8) | st.integers(0, 5), st.integers(1, 4))


def batches_of(batches):
    """Return spans in batches: a step onward, or from where a snapshot before one of the batches was made."""
    ends, snapshots, found = {}, [], []
    for batch in batches:
        snapshots.append(ends.copy())
        found.append([])
        for resource, back, length in batch:
            begin = ends.get(resource, 0)
            if back != ONWARD:
                begin = snapshots[max(0, len(snapshots) - 1 - back)].get(resource, 0)
            ends[resource] = begin + length
            found[-1].append(
                Span("alpha", "alpha-0", resource, begin, begin + length, length, begin + length)
            )
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=5))
def test_spans_of_a_batch_are_noted_as_if_each_came_alone(batches):
    batches = batches_of(batches)
    with tempfile.TemporaryDirectory() as together, tempfile.TemporaryDirectory() as alone:
        store = LedgerStore(Path(together))
        for batch in batches:
            store.snapshot("0000")
            write(store, batch)
        store.close()
        for each in [[], *([span] for batch in batches for span in batch)]:
            # knows of nothing that was written before
            store = LedgerStore(Path(alone))
            write(store, each)
            store.close()
        assert rows(Path(together)) == rows(Path(alone))


def test_a_range_that_somebody_else_went_on_with_is_looked_up(tmp_path):
    one, other = LedgerStore(tmp_path), LedgerStore(tmp_path)
    first, second, third = spans_of([("a", ONWARD, 5)] * 3)
    write(one, [first])
    write(other, [second])
    write(one, [second, third])
    one.close()
    other.close()
    (found,) = rows(tmp_path)[0]
    # start, end, records, replayed
    assert found[4:8] == (0, 15, 15, 5)


def test_what_a_failed_transaction_wrote_is_not_taken_for_written(tmp_path):
    store = LedgerStore(tmp_path)
    first, second = spans_of([("a", ONWARD, 5)] * 2)
    write(store, [first])
    broken = Notice("alpha", "alpha-0", "gap", "", 0.0, None)  # type: ignore[arg-type] # what breaks it
    with pytest.raises(TypeError):
        store.write("0000", {}, {}, [second], [broken])
    write(store, [second])
    store.close()
    (found,) = rows(tmp_path)[0]
    assert found[4:8] == (0, 10, 10, 0)


def test_a_resource_that_was_read_before_this_run_begins_no_second_range(tmp_path):
    store = LedgerStore(tmp_path)
    write(store, spans_of([("a", ONWARD, 5), ("b", ONWARD, 5)]))
    store.close()
    store = LedgerStore(tmp_path)
    # "a" is read again from its beginning, among resources that are new
    write(store, spans_of([("c", ONWARD, 5), ("a", ONWARD, 5), ("d", ONWARD, 5), ("d", ONWARD, 2)]))
    store.close()
    found = [(row[3], *row[4:8]) for row in rows(tmp_path)[0]]
    assert found == [("a", 0, 5, 5, 5), ("b", 0, 5, 5, 0), ("c", 0, 5, 5, 0), ("d", 0, 7, 7, 0)]


def recent(folder, resource):
    with closing(sqlite3.connect(folder / FILE)) as connection:
        query = "select start, end, records from recent where resource = ? order by start"
        return connection.execute(query, [resource]).fetchall()


def test_spans_between_two_snapshots_of_their_shard_are_one_piece(tmp_path):
    store = LedgerStore(tmp_path)
    spans = spans_of([("a", ONWARD, 1)] * 8)
    write(store, spans[:1])
    write(store, spans[1:3])
    write(store, spans[3:4])
    # of another shard: no replay of this one begins there
    store.snapshot("0001")
    write(store, spans[4:5])
    store.snapshot("0000")
    write(store, spans[5:])
    store.close()
    assert recent(tmp_path, "a") == [(1, 5, 4), (5, 8, 3)]


def test_a_piece_that_was_not_written_is_not_gone_on_with(tmp_path):
    store = LedgerStore(tmp_path)
    one, other = spans_of([("a", ONWARD, 5)] * 3), spans_of([("b", ONWARD, 5)] * 3)
    write(store, [one[0], other[0]])
    broken = Notice("alpha", "alpha-0", "gap", "", 0.0, None)  # type: ignore[arg-type] # what breaks it
    with pytest.raises(TypeError):
        store.write("0000", {}, {}, [one[1]], [broken])
    # of the same number and length
    write(store, [other[1]])
    write(store, [one[1], other[2], one[2]])
    store.close()
    assert rows(tmp_path)[1] == {("a", 0): [(5, 15, 10)], ("b", 0): [(5, 15, 10)]}


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def test_what_this_run_has_read_is_forgotten_after_a_while(tmp_path):
    clock = Clock()
    store = LedgerStore(tmp_path, clock)
    kept = []
    for span in spans_of([("a", ONWARD, 1)] * 200):
        write(store, [span])
        store.snapshot("0000")
        kept.append(len(recent(tmp_path, "a")))
        clock.now += 10
    store.close()
    assert max(kept) == pytest.approx(KEPT_RECENT_S / 10, abs=2)
    assert kept[-1] == max(kept)


def before(folder, clock):
    """Read two resources, of which two thirds are read again after the crash that follows."""
    store = LedgerStore(folder, clock)
    for span in spans_of([(resource, ONWARD, 10) for resource in "ab" for _ in range(3)]):
        write(store, [span])
        store.snapshot("0000")
        clock.now += 10
    store.close()


def replayed(resource):
    """Return the span of a replay that goes on beyond what was read."""
    return Span("alpha", "alpha-0", resource, 10, 40, 30, 40)


@pytest.mark.parametrize("down_s", [0, 1000, 100_000])
@pytest.mark.parametrize("apart_s", [0.5, 2, 40, 800])
def test_what_runs_before_have_read_is_known_however_long_they_are_over(tmp_path, down_s, apart_s):
    clock = Clock()
    before(tmp_path, clock)
    clock.now += down_s
    store = LedgerStore(tmp_path, clock)
    write(store, [replayed("a")])
    clock.now += apart_s
    write(store, [replayed("b")])
    store.close()
    # start, end, records, replayed
    assert [row[4:8] for row in rows(tmp_path)[0]] == [(0, 40, 40, 20)] * 2


@pytest.mark.parametrize("outage_s", [50, 90, 300, 800])
def test_snapshots_forget_nothing_of_what_could_not_be_read_since_a_crash(tmp_path, outage_s):
    clock = Clock()
    before(tmp_path, clock)
    store = LedgerStore(tmp_path, clock)
    for span in spans_of([("c", ONWARD, 10)] * (outage_s // 10)):
        clock.now += 10
        write(store, [span])
        store.snapshot("0000")
    write(store, [replayed("b")])
    store.close()
    assert [row[4:8] for row in rows(tmp_path)[0] if row[3] == "b"] == [(0, 40, 40, 20)]
