"""Codes that appear and that appear again: tables, and any input against a slow reference."""

import polars as pl
import pytest
from fleetflow_maintenance.detector import MaintenanceDetector
from fleetflow_maintenance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st
from maintenance_reference import Reference

from fleetflow.codes import Codes

SCHEMA = {
    "vin": pl.String,
    "obd_codes": pl.List(pl.String),
    "time": pl.Float64,
    "sequence": pl.Int64,
    "latitude": pl.Float64,
}
CODES = Codes({"P0171": "Mixture too lean", "B0001": "Airbag fired"})


def nothing():
    return Watch(lambda: 0, dict, 60)


def run(rows, sizes=(1000,), resume=(), count=3, window_s=100.0):
    detector = MaintenanceDetector(nothing(), CODES, count, window_s)
    shard, events, at, number = detector.open(None), [], 0, 0
    while at < len(rows):
        size = sizes[number % len(sizes)]
        part = [(*row, float(at + i)) for i, row in enumerate(rows[at : at + size])]
        events += shard.on_pings(pl.DataFrame(part, schema=SCHEMA, orient="row"))
        at, number = at + size, number + 1
        if number in resume:
            shard = detector.open(shard.snapshot())
    return events


def pings(*each):
    """Return pings of one vehicle, one per text of codes, ten seconds apart."""
    return [("A", codes.split(), 10.0 * i, i) for i, codes in enumerate(each)]


@pytest.mark.parametrize(
    ("rows", "faults", "repeated"),
    [
        pytest.param(pings("", ""), [], [], id="no codes"),
        pytest.param(pings("", "P0171", "P0171"), [("P0171", 10)], [], id="a code that stays is told once"),
        pytest.param(pings("P1 P2", "P2 P1", "P2"), [("P1", 0), ("P2", 0)], [], id="order does not matter"),
        pytest.param(pings("P1", "", "P1"), [("P1", 0), ("P1", 20)], [], id="gone and back"),
        pytest.param(
            pings("P1", "", "P1", "", "P1", "", "P1", "", "P1"),
            [("P1", t) for t in (0, 20, 40, 60, 80)],
            [("P1", 40)],
            id="three times, and counting begins anew",
        ),
        pytest.param(
            [("A", ["P1"] if i % 2 == 0 else [], 60.0 * i, i) for i in range(7)],
            [("P1", 120 * i) for i in range(4)],
            [],
            id="too far apart to be repeated",
        ),
        pytest.param(
            [("A", ["P1"], 10.0, 1), ("A", [], 5.0, 0), ("A", ["P1"], 20.0, 2)],
            [("P1", 10)],
            [],
            id="a late ping does not take a code away",
        ),
        pytest.param(
            [("A", ["P1"], 10.0, 1), ("A", [], 10.0, 1), ("A", [], 10.0, 2), ("A", ["P1"], 10.0, 3)],
            [("P1", 10), ("P1", 10)],
            [],
            id="at one time the sequence decides",
        ),
        pytest.param([("A", None, 1.0, 1), ("A", ["P1"], 2.0, 2)], [("P1", 2)], [], id="unknown codes"),
        pytest.param(
            [("A", [None], 1.0, 1), ("A", ["P1", None], 2.0, 2), ("A", [None, "P1"], 3.0, 3)],
            [("P1", 2)],
            [],
            id="codes of which some are unknown",
        ),
        pytest.param(pings("P1 P1 P1"), [("P1", 0)], [], id="thrice in one ping is once"),
    ],
)
def test_codes_that_appear(rows, faults, repeated):
    for sizes in ((1000,), (1,), (2,)):
        events = run(rows, sizes)
        found = [(e.data["code"], e.time) for e in events if e.kind == "fault"]
        assert (found, [(e.data["code"], e.time) for e in events if e.kind == "maintenance"]) == (
            faults,
            repeated,
        ), sizes


def test_event_tells_title_and_severity():
    known, unknown = run([("A", ["P0171", "X9"], 5.0, 1)])
    assert (known.id, known.kind, known.severity) == ("fault:A:P0171:5.0", "fault", "info")
    assert known.message == "A: P0171 Mixture too lean"
    assert known.data == {"code": "P0171", "title": "Mixture too lean"}
    assert known.ping["sequence"] == 1
    assert known.update == {}
    assert (unknown.message, unknown.data["title"]) == ("A: X9", None)
    (crash,) = run([("A", ["B0001"], 5.0, 1)])
    assert crash.severity == "critical"


def test_repeated_code_calls_for_maintenance_and_leaves_what_is_worse_on_show():
    (_, repeated) = run([("A", ["P0171"], 5.0, 1)], count=1)
    assert repeated.id == "repeated:A:P0171:5.0"
    assert repeated.message == "A: P0171 Mixture too lean appeared 1 times within 0 s"
    note = "P0171 Mixture too lean appeared 1 times"
    assert repeated.update == {"maintenance": note, "status": "MAINTENANCE", "note": note}
    assert repeated.only_if == {"status": [None, "MAINTENANCE", "SPEEDING"], "note": []}


def test_schema_without_codes_is_idle():
    shard = MaintenanceDetector(nothing(), CODES, 3, 100.0).open(None)
    assert list(shard.on_pings(pl.DataFrame({"vin": ["A"], "time": [1.0], "sequence": [1]}))) == []
    assert list(shard.on_pings(pl.DataFrame(schema=SCHEMA))) == []
    assert shard.snapshot() == {"v": 1, "faults": {"v": 1, "vehicles": {}}, "told": {}}


ping = st.tuples(
    st.sampled_from("ABC"),
    st.lists(st.sampled_from(["P1", "P2", "P3"]), max_size=2),
    st.integers(0, 60).map(lambda step: step * 10.0),
    st.integers(0, 2),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(ping, max_size=80),
    st.booleans(),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.sets(st.integers(1, 10)),
)
def test_any_input_in_any_batches_ends_as_in_the_reference(rows, in_order, sizes, resume):
    """Shuffled, repeated and late pings; resumed from snapshots in between."""
    if in_order:
        rows = sorted(rows, key=lambda row: row[2:])
    reference = Reference(window_s=200.0)
    for row in rows:
        reference.ping(*row)
    events = run(rows, sizes, resume, window_s=200.0)
    faults = [(e.vin, e.data["code"], e.time) for e in events if e.kind == "fault"]
    repeated = [(e.vin, e.data["code"], tuple(e.data["times"])) for e in events if e.kind == "maintenance"]
    assert sorted(faults) == sorted(reference.appeared)
    assert sorted(repeated) == sorted(reference.repeated)
