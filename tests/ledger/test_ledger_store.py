"""What the store remembers of its own writing changes nothing of what it writes."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.contracts.payload import Notice, Span
from fleetflow.ledger.store import FILE, INDEX, LedgerStore

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
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return [
            connection.execute(f"select * from {table} order by id").fetchall()
            for table in (
                "ranges",
                "(select id, source, partition, resource, start, end, records, again from recent)",
            )
        ]


def write(store, spans):
    store.write("0000", {}, {}, spans, ())


steps = st.tuples(
    st.sampled_from("ab"), st.sampled_from([ONWARD] * 8) | st.integers(0, 12), st.integers(1, 4)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=5))
def test_spans_of_a_batch_are_noted_as_if_each_came_alone(batches):
    spans = spans_of([step for batch in batches for step in batch])
    with tempfile.TemporaryDirectory() as together, tempfile.TemporaryDirectory() as alone:
        rest = iter(spans)
        store = LedgerStore(Path(together))
        for batch in batches:
            write(store, [next(rest) for _ in batch])
        store.close()
        for each in [[], *([span] for span in spans)]:
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


def indexes(folder):
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return {row[0] for row in connection.execute("select name from sqlite_master where type = 'index'")}


def test_spans_are_forgotten_when_no_crash_can_bring_them_back(tmp_path):
    now = 1_000_000.0
    store = LedgerStore(tmp_path, lambda: now)
    kept = []
    for span in spans_of([("a", ONWARD, 1)] * 200):
        write(store, [span])
        kept.append(len(rows(tmp_path)[1]))
        now += 1
        if now % 10 == 0:
            store.snapshot("0000")
    # eight snapshots, which take longer than a minute; before the eighth none
    assert max(kept[:80]) == 79
    assert 70 <= min(kept[82:]) <= max(kept[82:]) <= 82

    # one shard makes no snapshots any more: its spans may be read again
    store.snapshot("0001")
    for span in spans_of([("b", ONWARD, 1)] * 200):
        write(store, [span])
        now += 1
        store.snapshot("0000")
    assert len(rows(tmp_path)[1]) > 250

    # but not from so long ago
    for span in spans_of([("c", ONWARD, 1)] * 3):
        now += 600
        write(store, [span])
    assert len(rows(tmp_path)[1]) < 5
    store.close()


def test_spans_are_indexed_only_while_a_replay_looks_for_them(tmp_path):
    now = 1_000_000.0
    store = LedgerStore(tmp_path, lambda: now)
    first, second, third = spans_of([("a", ONWARD, 5)] * 3)
    write(store, [first, second, third])
    assert INDEX not in indexes(tmp_path)
    write(store, [second])
    assert INDEX in indexes(tmp_path)
    write(store, [third])
    now += 100
    write(store, spans_of([("b", ONWARD, 5)] * 2))
    assert INDEX not in indexes(tmp_path)
    # and they are found all the same by the next one
    write(store, [second, third])
    store.close()
    assert [row[4:8] for row in rows(tmp_path)[0] if row[3] == "a"] == [(0, 15, 15, 20)]
