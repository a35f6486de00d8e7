"""However a replay cuts its input, the ledger counts each record once."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.contracts.payload import Span
from fleetflow.ledger.reader import Ledger
from fleetflow.ledger.store import LedgerStore

WIDTH = 10
"""Positions per record."""


def span(start, end):
    return Span("alpha", "alpha-0", "a.csv", start * WIDTH, end * WIDTH, end - start, end)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8), st.floats(0, 1)),
        max_size=6,
    )
)
def test_ranges_hold_each_record_once_after_any_crashes(lives):
    """A life reads some spans; then it crashes, and the next goes on from one of the snapshots it made."""
    with tempfile.TemporaryDirectory() as folder:
        snapshots, at, reached, replays = [0], 0, 0, 0
        for sizes, back in lives:
            store = LedgerStore(Path(folder))
            for size, snapshot in sizes:
                store.write("0000", {}, {}, [span(at, at + size)], [])
                replays += max(0, min(reached, at + size) - at)
                at += size
                reached = max(reached, at)
                if snapshot:
                    store.snapshot("0000")
                    snapshots.append(at)
            store.close()
            del snapshots[1 + int(back * (len(snapshots) - 1)) :]
            at = snapshots[-1]
        reader = Ledger(Path(folder))
        ranges = reader.ranges()
        reader.close()
        if not reached:
            assert ranges == []
            return
        assert [(each.start, each.end, each.records) for each in ranges] == [(0, reached * WIDTH, reached)]
        assert ranges[0].replayed == replays
