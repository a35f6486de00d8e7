"""The built-in validation rules."""

import math

import pytest
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow.builtin.rules import builtin_rules
from fleetflow.dataflow.shaping import Validator, decode
from fleetflow.testing import csv_payload

NOW = 1_000_000_000.0


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
