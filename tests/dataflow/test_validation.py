"""The built-in validation rules."""

import math

import polars as pl
import pytest
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.builtin.rules import builtin_rules
from fleetflow.contracts.rule import Rule
from fleetflow.dataflow.shaping import HANDFUL, Validator, decode
from fleetflow.testing import csv_payload

NOW = 1_000_000_000.0
COLUMNS = fleetflow_schema().columns


def broken_rule(line):
    (shaped,) = decode(fleetflow_schema(), [csv_payload(line + "\nGOOD,1,2,3\n")])
    judged = Validator(builtin_rules(86_400), clock=lambda: NOW)(shaped)
    rules = [reject.rule for reject in judged.decoded.rejects]
    assert judged.decoded.pings.height + len(rules) == 2
    assert all(reject.place.raw == line.encode() + b"\n" for reject in judged.decoded.rejects)
    return rules


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (",1,2,3", "vin"),
        ("V" * 65 + ",1,2,3", "vin"),
        ("A,90.1,2,3", "latitude"),
        ("A,nan,2,3", "latitude"),
        ("A,inf,2,3", "latitude"),
        ("A,1,-180.5,3", "longitude"),
        ("A,1,nan,3", "longitude"),
        ("A,0,0,3", "null_island"),
        ("A,-0.0,0,3", "null_island"),
        ("A,1,2,nan", "time"),
        ("A,1,2,inf", "time"),
        ("A,1,2,-1", "time"),
        (f"A,1,2,{NOW + 86_401}", "future"),
    ],
)
def test_first_rule_that_is_broken_rejects(line, rule):
    assert broken_rule(line) == [rule]


@pytest.mark.parametrize(
    "line", ["A,90,180,0", "A,-90,-180,3", "A,0,2,3", "A,1,0,3", f"A,1,2,{NOW + 86_400}", "V" * 64 + ",1,2,3"]
)
def test_borders_are_valid(line):
    assert broken_rule(line) == []


def test_no_rule_is_fooled_by_not_a_number():
    assert math.isnan(float("nan"))
    for rule in builtin_rules(86_400):
        assert rule.reason


def numbers():
    near = [0.0, -0.0, 90.0, -90.0, 90.00001, 180.0, -180.0, NOW, NOW + 86_400, NOW + 86_401, -1.0]
    return st.none() | st.floats() | st.sampled_from(near)


@given(
    st.none() | st.text(max_size=3) | st.sampled_from(["V" * 64, "V" * 65, "\u00e4" * 64]),
    numbers(),
    numbers(),
    numbers(),
)
def test_a_rule_tells_the_same_of_one_ping_and_of_a_column(vin, latitude, longitude, time):
    ping = {"vin": vin, "latitude": latitude, "longitude": longitude, "time": time}
    columns = pl.DataFrame([ping], {name: COLUMNS[name] for name in ping})
    for rule in builtin_rules(86_400):
        by_column = columns.select(rule.expression(NOW).fill_null(False)).item()
        assert rule.holds(ping, NOW) == by_column, rule.name


rows = st.tuples(st.none() | st.text(max_size=70), numbers(), numbers(), numbers())
good = st.tuples(st.just("V"), st.floats(-90, 90), st.floats(1, 180), st.floats(0, NOW))


@given(st.lists(good, max_size=5), st.lists(rows, max_size=1))
def test_a_rule_that_says_of_a_batch_that_it_holds_is_right(pings, one_more):
    names = ("vin", "latitude", "longitude", "time")
    columns = pl.DataFrame(
        [*pings, *one_more], {name: COLUMNS[name] for name in names}, orient="row", strict=False
    )
    for rule in builtin_rules(86_400):
        holds = columns.select(rule.expression(NOW).fill_null(False).all()).item()
        said = rule.all_hold(columns, NOW)
        assert holds or not said, rule.name
        # of what is good it is told at a glance
        assert said or one_more or not pings or rule.name == "vin", rule.name


@pytest.mark.parametrize("pings", [1, HANDFUL, HANDFUL + 1])
def test_a_rule_that_judges_only_columns_is_asked_however_few_pings_there_are(pings):
    texas = Rule("texas", "must be in Texas", lambda now: pl.col("latitude").is_between(25.8, 36.5))
    (shaped,) = decode(fleetflow_schema(), [csv_payload("A,1,2,3\n" * pings)])
    judged = Validator([*builtin_rules(86_400), texas], clock=lambda: NOW)(shaped)
    assert [reject.rule for reject in judged.decoded.rejects] == ["texas"] * pings


@pytest.mark.parametrize("pings", [1, HANDFUL, HANDFUL + 1])
def test_nothing_is_changed_where_all_are_good(pings):
    (shaped,) = decode(fleetflow_schema(), [csv_payload("A,1,2,3\n" * pings)])
    assert Validator(builtin_rules(86_400), clock=lambda: NOW)(shaped) is shaped


@pytest.mark.parametrize("pings", [1, HANDFUL, HANDFUL + 1])
def test_a_rule_may_say_the_same_of_all(pings):
    never = Rule("never", "must not be", lambda now: pl.lit(False))
    (shaped,) = decode(fleetflow_schema(), [csv_payload("A,1,2,3\nA,1,2,nan\n" * pings)])
    judged = Validator([*builtin_rules(86_400), never], clock=lambda: NOW)(shaped)
    assert [reject.rule for reject in judged.decoded.rejects] == ["never", "time"] * pings
    assert judged.decoded.pings.height == 0


@pytest.mark.parametrize("pings", [1, HANDFUL, HANDFUL + 1])
def test_one_bad_ping_is_found_among_few_and_among_many(pings):
    (shaped,) = decode(fleetflow_schema(), [csv_payload("A,1,2,3\n" * (pings - 1) + "B,91,2,3\n")])
    judged = Validator(builtin_rules(86_400), clock=lambda: NOW)(shaped)
    assert [(reject.rule, reject.place.raw) for reject in judged.decoded.rejects] == [
        ("latitude", b"B,91,2,3\n")
    ]
    assert judged.decoded.pings.height == pings - 1
