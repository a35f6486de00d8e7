"""The rule position_jump: what it turns down, and what the vehicles map never shows."""

import importlib.util
import itertools
import math
import pickle
from pathlib import Path

import polars as pl
import pytest
from fleetflow_ping.plugin import fleetflow_schema
from fleetflow_speed.jumps import JumpJudge
from fleetflow_speed.plugin import fleetflow_judges, fleetflow_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow import config
from fleetflow.contracts.sink import Counts
from fleetflow.testing import MemoryLedger, MemoryQuarantine, MemorySink, MemorySource, csv_payload, run_once
from fleetflow.testing.buses import valid

SPEC = importlib.util.spec_from_file_location(
    "speed_reference", Path(__file__).with_name("speed_reference.py")
)
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)


def frame(pings):
    columns = ("vin", "time", "latitude", "longitude")
    types = dict(zip(columns, (pl.String, pl.Float64, pl.Float64, pl.Float64), strict=True))
    return pl.DataFrame(pings, schema=types, orient="row")


def verdicts(pings, cuts=(), through_state=False, kmh=300, confirm=3):
    judge = JumpJudge(kmh, confirm)
    shard, good = judge.open(None), []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(pings)]):
        if begin < end:
            verdict = shard.on_pings(frame(pings[begin:end]))
            good += [True] * (end - begin) if verdict is None else verdict.to_list()
        if through_state:
            shard = judge.open(pickle.loads(pickle.dumps(shard.snapshot())))
    return good


reference = kit.plausible

HERE, NEAR, FAR, FURTHER = (30.0, -97.0), (30.001, -97.0), (31.0, -97.0), (35.0, -97.0)
RULE = {
    "first fix is good": ([(0, FAR)], "+"),
    "a jump": ([(0, HERE), (10, FAR)], "+-"),
    "back again": ([(0, HERE), (10, FAR), (20, NEAR)], "+-+"),
    "plausible after an hour": ([(0, HERE), (3600, FAR)], "++"),
    "noise is no jump": ([(0, HERE), (0.1, (30.0005, -97.0))], "++"),
    "late is not judged": ([(100, HERE), (50, FAR), (110, NEAR)], "+++"),
    "three that fit together were true": ([(0, HERE), (10, FAR), (20, FAR), (30, FAR), (40, FAR)], "+--++"),
    "three that do not fit were not": ([(0, HERE), (10, FAR), (20, FURTHER), (30, FAR), (40, NEAR)], "+---+"),
    "a good one in between begins anew": (
        [(0, HERE), (10, FAR), (20, FAR), (30, HERE), (40, FAR), (50, FAR)],
        "+--+--",
    ),
    "a repeated one counts once": ([(0, HERE), (10, FAR), (10, FAR), (10, FAR), (10, FAR)], "+----"),
}


@pytest.mark.parametrize(("pings", "expected"), RULE.values(), ids=RULE)
def test_rule(pings, expected):
    rows = [("A", time, *place) for time, place in pings]
    assert ["+" if good else "-" for good in verdicts(rows)] == list(expected)
    assert reference(rows) == verdicts(rows)


numbers = st.sampled_from([0.0, 0.0005, 0.01, 1.0, 20.0])
pings = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from([*range(0, 60, 7), 500, 5000]), numbers, numbers).map(
        lambda t: (t[0], float(t[1]), t[2], t[3])
    ),
    max_size=50,
)


@settings(max_examples=100, deadline=None)
@given(pings, st.booleans(), st.lists(st.integers(0, 50), max_size=6), st.booleans(), st.integers(2, 4))
def test_any_pings_in_any_batches_are_judged_as_by_the_reference(
    pings, ordered, cuts, through_state, confirm
):
    if ordered:
        pings.sort(key=lambda ping: ping[1])
    cuts = [min(cut, len(pings)) for cut in cuts]
    assert verdicts(pings, cuts, through_state, confirm=confirm) == reference(pings, confirm=confirm)


def test_pings_that_are_no_positions_are_left_to_others():
    odd = [("A", math.nan, 1.0, 1.0), ("A", 5.0, math.nan, 1.0)]
    assert verdicts([*odd, ("A", 6.0, *HERE), *odd, ("A", 7.0, *FAR)]) == [True] * 5 + [False]


def test_vehicles_map_keeps_the_last_good_fix_and_the_jump_is_quarantined():
    text = "A,30,-97,0\nA,30.001,-97,10\nA,31,-97,20\nB,31,-97,20\n"
    sinks = [MemorySink(), MemoryQuarantine(), MemoryLedger()]
    run_once(fleetflow_schema(), [MemorySource([csv_payload(text)])], sinks, judges=[JumpJudge(300, 3)])
    assert sinks[0].records["A"]["latitude"] == 30.001
    (reject,) = sinks[1].rejects.values()
    assert (reject.rule, reject.place.raw) == ("position_jump", b"A,31,-97,20\n")
    assert reject.reason == "the position must be within reach of the last good fix at 300 km/h"
    assert sinks[2].counts == {"memory": Counts(read=4, applied=2, superseded=1, quarantined=1)}


@pytest.mark.parametrize(("switched_on", "judges"), [("false", []), ("true", ["position_jump"])])
def test_rule_is_there_when_it_is_switched_on(switched_on, judges):
    flags = {"speed": {"reject_jumps": switched_on}}
    loaded = config.load(fleetflow_settings(), environment={}, flags=flags)
    assert [judge.name for judge in fleetflow_judges(loaded)] == judges


def test_jumps_of_real_buses_are_few_and_far(bus_days):
    pings = valid(bus_days)
    good = verdicts(pings, range(0, len(pings), 777))
    assert good == reference(pings)
    assert len(good) > 20_000
    assert sum(good) > 0.99 * len(good)
