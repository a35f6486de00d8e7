"""When a crash begins and ends: a table of cases, and any input against a slow reference."""

import logging
import math
import pickle

import polars as pl
import pytest
from fleetflow_crash import cities
from fleetflow_crash.detector import CrashDetector
from fleetflow_crash.plugin import fleetflow_detectors, fleetflow_settings
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow import config
from fleetflow.builtin import core
from fleetflow.contracts.sink import ShardBatch
from fleetflow.dataflow.plain import from_plain, to_plain
from fleetflow.dataflow.shaping import EXTRA_COLUMNS
from fleetflow.errors import StoreError
from fleetflow.testing import MemoryQuarantine, MemorySink, MemorySource, csv_payload, run_once

CITIES = cities.load()
COLUMNS = {**fleetflow_schema().columns, **EXTRA_COLUMNS}


def detector(clear_after_s=100.0, codes=("B0001",)):
    return CrashDetector(codes, clear_after_s, CITIES)


def frame(pings):
    """(vin, time, codes) as a batch of pings near Dallas."""
    rows = [
        (vin, 32.9, -96.9, float(time), number, codes, "alpha", 1.0)
        for number, (vin, time, codes) in enumerate(pings)
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def happened(shard, pings):
    return [(event.kind, event.vin, event.time) for event in shard.on_pings(frame(pings))]


X, Y, NO = ["B0001"], ["P0300", "B0001"], []
ONE = [("crash", "A", 10.0)]
CASES = {
    "no codes at all": ([("A", 10, NO), ("A", 20, None)], []),
    "codes that do not count": ([("A", 10, ["P0300"]), ("A", 20, ["B0001x", "b0001"])], []),
    "one ping with the code": ([("A", 10, X)], ONE),
    "the code among others": ([("A", 10, Y)], ONE),
    "the same ping again": ([("A", 10, X), ("A", 10, X)], ONE),
    "the code in each ping": ([("A", t, X) for t in range(10, 1000, 10)], ONE),
    "the code with pauses that are short": (
        [("A", t, X if t % 50 == 10 else NO) for t in range(10, 1000, 10)],
        ONE,
    ),
    "two vehicles": ([("A", 10, X), ("B", 5, X)], [*ONE, ("crash", "B", 5.0)]),
    "quiet for long enough": (
        [("A", 10, X), ("A", 20, NO), ("A", 119, NO), ("A", 120, NO)],
        [*ONE, ("crash_cleared", "A", 120.0)],
    ),
    "silent for long is not quiet": ([("A", 10, X), ("A", 5000, NO), ("A", 5099, NO)], ONE),
    "silent for long, then the code again": ([("A", 10, X), ("A", 5000, X)], ONE),
    "cleared once": (
        [("A", 10, X), *(("A", t, NO) for t in range(20, 500, 10))],
        [*ONE, ("crash_cleared", "A", 120.0)],
    ),
    "a second crash": (
        [("A", 10, X), ("A", 20, NO), ("A", 120, NO), ("A", 130, X)],
        [*ONE, ("crash_cleared", "A", 120.0), ("crash", "A", 130.0)],
    ),
    "a late code of a crash that was cleared": (
        [("A", 10, X), ("A", 20, NO), ("A", 120, NO), ("A", 60, X), ("A", 10, X), ("A", 120, X)],
        [*ONE, ("crash_cleared", "A", 120.0)],
    ),
    "a code that is older than the crash": ([("A", 10, X), ("A", 5, X)], ONE),
    "a late code is a crash when none was known": ([("A", 50, NO), ("A", 10, X)], ONE),
    "a late code makes the quiet begin anew": (
        [("A", 10, X), ("A", 20, NO), ("A", 90, X), ("A", 120, NO), ("A", 219, NO), ("A", 220, NO)],
        [*ONE, ("crash_cleared", "A", 220.0)],
    ),
    "late quiet pings count": (
        [("A", 10, X), ("A", 120, NO), ("A", 20, NO)],
        [*ONE, ("crash_cleared", "A", 120.0)],
    ),
    "quiet pings from before the code do not count": (
        [("A", 10, X), ("A", 5, NO), ("A", 10, NO), ("A", 105, NO)],
        ONE,
    ),
    "times that are no numbers": ([("A", math.nan, X), ("A", math.inf, X), ("A", 10, X)], ONE),
}


@pytest.mark.parametrize(("pings", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_the_rule(pings, expected, size):
    shard = detector().open(None)
    found = [each for at in range(0, len(pings), size) for each in happened(shard, pings[at : at + size])]
    assert found == expected


def test_never_cleared_when_it_is_set_to_never():
    shard = detector(0.0).open(None)
    pings = [("A", 10, X), *(("A", t, NO) for t in range(20, 100_000, 1000)), ("A", 200_000, X)]
    assert happened(shard, pings) == ONE


def test_other_codes_can_be_chosen():
    shard = detector(codes=("U1234", "B0002")).open(None)
    assert happened(shard, [("A", 10, X), ("B", 10, ["B0002"]), ("C", 10, ["U1234"])]) == [
        ("crash", "B", 10.0),
        ("crash", "C", 10.0),
    ]


def reference(pings, clear_after_s):
    """One ping after the other, in plain Python, remembering everything."""
    told, vehicles = [], {}
    for vin, time, codes in pings:
        vehicle = vehicles.setdefault(vin, {"crashed": False, "codes": [], "quiet": [], "done": []})
        if any(time <= each for each in vehicle["codes"] + vehicle["done"]):
            continue
        if "B0001" in (codes or []):
            if not vehicle["crashed"]:
                vehicle["crashed"] = True
                told.append(("crash", vin, time))
            vehicle["codes"].append(time)
            vehicle["quiet"] = []
        elif vehicle["crashed"] and clear_after_s:
            vehicle["quiet"].append(time)
            if max(vehicle["quiet"]) - min(vehicle["quiet"]) >= clear_after_s:
                told.append(("crash_cleared", vin, max(vehicle["quiet"])))
                vehicle["done"].append(max(vehicle["quiet"]))
                vehicle["crashed"], vehicle["quiet"] = False, []
    return told


ping = st.tuples(
    st.sampled_from("AB"),
    st.integers(0, 40).map(float),
    st.sampled_from([None, NO, NO, NO, ["P0300"], X, Y]),
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(ping, max_size=60), st.sampled_from([0.0, 1.0, 5.0, 20.0]), st.booleans())
def test_any_pings_in_any_batches_with_kills_between_do_what_a_slow_reference_does(
    data, pings, clear_after_s, in_order
):
    if in_order:
        pings = sorted(pings, key=lambda each: each[1])
    repeats = [each for each in pings for _ in range(data.draw(st.integers(1, 2)))] if pings else []
    expected = reference(repeats, clear_after_s)
    assert reference(pings, clear_after_s) == expected, "a repeated ping changes nothing"
    made = detector(clear_after_s)
    shard, found, at = made.open(None), [], 0
    while at < len(repeats):
        size = data.draw(st.integers(1, 25))
        found += shard.on_pings(frame(repeats[at : at + size]))
        at += size
        if data.draw(st.booleans()):
            shard = made.open(pickle.loads(pickle.dumps(shard.snapshot())))
    assert sorted((event.kind, event.vin, event.time) for event in found) == sorted(expected)
    for vin in "AB":
        assert [(e.kind, e.vin, e.time) for e in found if e.vin == vin] == [
            each for each in expected if each[1] == vin
        ]
    assert len({event.id for event in found}) == len(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(ping, max_size=60), st.sampled_from([1.0, 5.0, 20.0]))
def test_in_order_each_stretch_with_codes_is_one_crash(pings, clear_after_s):
    """Said without a state: a crash begins at a code that no other one precedes without a long quiet."""
    mine = sorted(
        {(time, bool(codes) and "B0001" in codes) for _, time, codes in pings}, key=lambda p: (p[0], not p[1])
    )
    coded = [time for time, has_code in mine if has_code]

    def quiet_between(a, b):
        quiet = [time for time, has_code in mine if not has_code and a < time < b and time not in coded]
        return bool(quiet) and quiet[-1] - quiet[0] >= clear_after_s

    begins = [b for a, b in zip([None, *coded], coded, strict=False) if a is None or quiet_between(a, b)]
    shard = detector(clear_after_s).open(None)
    found = happened(shard, [("A", time, X if has_code else NO) for time, has_code in mine])
    assert [time for kind, _, time in found if kind == "crash"] == begins


def test_the_event_says_who_where_and_from_where_help_comes():
    (event,) = detector().open(None).on_pings(frame([("1N4AL21E08N529714", 1000, Y)]))
    assert event.message == "CRASH DETECTED: 1N4AL21E08N529714 HELP DISPATCHED FROM: Dallas"
    assert (event.kind, event.severity, event.time) == ("crash", "critical", 1000.0)
    assert event.update == {"status": "CRASHED", "note": "help dispatched from Dallas, TX"}
    assert event.data == {"codes": ["B0001"], "city": "Dallas", "state": "TX", "distance_km": 17.3}
    assert event.ping["obd_codes"] == Y
    assert event.ping["sequence"] == 0


def test_the_cleared_event_names_the_crash_and_takes_status_and_note_away():
    crash, cleared = detector().open(None).on_pings(frame([("A", 10, X), ("A", 20, NO), ("A", 130, NO)]))
    assert cleared.update == {"status": None, "note": None}
    assert cleared.only_if == {"status": ["CRASHED"], "note": []}, "what others wrote there meanwhile stays"
    assert cleared.data == {"crash": crash.id, "quiet_s": 110.0}
    assert (cleared.severity, cleared.message) == ("info", "CRASH CLEARED: A")


def test_a_place_that_is_unknown_is_said_to_be():
    pings = frame([("A", 10, X)]).with_columns(pl.lit(None, pl.Float64).alias("latitude"))
    (event,) = detector().open(None).on_pings(pings)
    assert event.message == "CRASH DETECTED: A HELP DISPATCHED FROM: unknown"
    assert event.update == {"status": "CRASHED", "note": "help dispatched"}


def test_two_orders_of_two_sources_make_one_event():
    one, other = detector(600.0).open(None), detector(600.0).open(None)
    (first,) = one.on_pings(frame([("A", 1210, X), ("A", 1205, X)]))
    (second,) = other.on_pings(frame([("A", 1205, X), ("A", 1210, X)]))
    assert first.id == second.id


def test_events_survive_the_recovery_store():
    events = tuple(detector().open(None).on_pings(frame([("A", 10, X), ("A", 20, NO), ("A", 130, NO)])))
    batch = ShardBatch(frame([]), events=events)
    assert from_plain(pickle.loads(pickle.dumps(to_plain(batch))), COLUMNS).events == events


def test_state_of_a_newer_version_is_refused():
    with pytest.raises(StoreError, match="version 2"):
        detector().open({"v": 2})


def test_without_codes_in_the_schema_it_is_idle_and_says_so_once(caplog):
    made = detector()
    for shard in (made.open(None), made.open(None)):
        assert shard.on_pings(frame([("A", 10, X)]).drop("obd_codes")) == ()
        assert shard.on_pings(frame([("A", 10, X)]).drop("obd_codes")) == ()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no obd_codes" in record.getMessage()


def test_the_settings_choose_codes_and_time_and_no_code_turns_it_off():
    def made(**tables):
        models = {**core.fleetflow_settings(), **fleetflow_settings()}
        return fleetflow_detectors(config.load(models, environment={}, flags={"crash": tables}))

    ((default,), (chosen,)) = made(), made(codes="B0001 U1234", clear_after_s="0")
    assert (default.name, default.codes, default.clear_after_s) == ("crash", ("B0001",), 600.0)
    assert (chosen.codes, chosen.clear_after_s) == (("B0001", "U1234"), 0.0)
    assert made(codes="") == []


def test_in_the_flow_each_crash_is_one_event():
    sink = MemorySink()
    text = "".join(f"V{n % 3},32.9,-96.9,{n}{',B0001' if n > 5 else ''}\n" for n in range(30))
    payloads = [csv_payload(text), csv_payload(text, start=len(text))]
    run_once(fleetflow_schema(), [MemorySource(payloads)], [sink, MemoryQuarantine()], detectors=[detector()])
    assert sorted((event.vin, event.time) for event in sink.events) == [("V0", 6.0), ("V1", 7.0), ("V2", 8.0)]
