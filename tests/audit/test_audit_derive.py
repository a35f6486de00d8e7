"""Cutting payloads at positions, and judging as of the time of the first judgement."""

import json
import zlib

import polars as pl
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.audit import bounded
from fleetflow.audit.derive import Bound, Deriver, digest_of, key_of
from fleetflow.builtin.rules import builtin_rules
from fleetflow.contracts.payload import Payload
from fleetflow.testing import MemorySource, csv_payload

LINES = b"".join(b"V%d,1.5,2.5,%d\n" % (number % 3, 1000 + number) for number in range(20))


def page(sequences, start, end):
    elements = [
        {"vin": "V", "latitude": 1, "longitude": 2, "time": 3}
        | ({} if sequence is None else {"sequence": sequence})
        for sequence in sequences
    ]
    data = json.dumps(elements).encode()
    return Payload("beta", "beta-0", "url", start, end, data, "application/json", 1.0, 7)


@given(st.lists(st.integers(-5, 60), max_size=4), st.integers(0, 30))
def test_pieces_of_bytes_are_the_whole_and_end_at_the_cuts(cuts, start):
    payload = csv_payload(b"x" * 25, start)
    pieces = bounded.split(payload, cuts)
    assert b"".join(piece.data for piece in pieces) == payload.data
    assert {piece.start for piece in pieces[1:]} == {cut for cut in cuts if start < cut < start + 25}
    assert all(len(piece.data) == piece.end - piece.start for piece in pieces)


@given(st.integers(0, 12))
def test_a_page_is_cut_by_the_sequences_of_its_elements(cut):
    pieces = bounded.split(page(range(10), 0, 10), [cut])
    found = [[each["sequence"] for each in json.loads(piece.data)] for piece in pieces]
    assert found == ([list(range(cut)), list(range(cut, 10))] if 0 < cut < 10 else [list(range(10))])


def test_an_element_without_a_sequence_goes_with_the_one_before_it():
    pieces = bounded.split(page([0, 1, None, 2], 0, 3), [2])
    assert [len(json.loads(piece.data)) for piece in pieces] == [3, 1]


def test_the_last_generation_of_a_resource_is_the_one_that_is_there():
    assert bounded.known_as("a.csv", ["a.csv", "a.csv~2", "a.csv~10", "b.csv~11"]) == "a.csv~10"
    assert bounded.known_as("new.csv", ["a.csv"]) == "new.csv"


def derive(payloads, bound, quarantined=None, judged=None):
    deriver = Deriver(fleetflow_schema(), builtin_rules(86_400), quarantined or {}, judged)
    return deriver.partition(MemorySource(payloads), "memory", {"test.csv": bound})


@given(st.integers(0, len(LINES)), st.integers(1, 200))
def test_only_what_the_job_had_read_counts(must, block):
    must = LINES.rfind(b"\n", 0, must) + 1
    payloads, at = [], 0
    while at < len(LINES):
        end = LINES.find(b"\n", min(at + block, len(LINES) - 1)) + 1
        payloads.append(csv_payload(LINES[at:end], at))
        at = end
    derived = derive(payloads, Bound(must, must))
    lines = LINES[:must].count(b"\n")
    assert sum(derived.pings.values()) == lines
    assert derived.reads["memory", "memory", "test.csv"].records == lines
    newest = derived.newest()
    expected = {f"V{number % 3}": 1000.0 + number for number in range(lines)}
    assert ({} if newest is None else dict(newest.select("vin", "time").rows())) == expected


def test_the_digest_at_the_bound_is_that_of_the_bytes_before_it():
    end = LINES.find(b"\n", 100) + 1
    payload = csv_payload(LINES)
    payload = Payload(*[getattr(payload, name) for name in payload.__slots__[:-1]], zlib.crc32(LINES))
    derived = derive([payload], Bound(end, end))
    assert derived.reads["memory", "memory", "test.csv"].digest == zlib.crc32(LINES[:end])


def test_a_ping_that_was_from_the_future_is_still_a_reject_when_that_time_has_come():
    place = ("memory", "memory", "test.csv", 0, 10)
    derived = derive([csv_payload("V,1,2,1000\nW,1,2,1000\n")], Bound(), {place: 1000.0 - 86_500})
    assert sum(derived.pings.values()) == 1
    ((found, _),) = derived.rejects.items()
    assert found[:4] == place[:4]
    newest = derived.newest()
    assert isinstance(newest, pl.DataFrame)
    assert newest["vin"].to_list() == ["W"]


def test_what_a_judge_turned_down_is_left_out_while_its_raw_bytes_are_there():
    payload = csv_payload("V,1,2,1000\nV,80,2,1001\nW,1,2,1000\n")
    (jump,) = fleetflow_schema().decode([payload]).locate([1])
    assert b"80" in jump.raw
    quarantined = {key_of(jump): 1_000_000_000.0}
    derived = derive([payload], Bound(), quarantined, {key_of(jump): digest_of(jump)})
    assert derived.rejects == {key_of(jump): digest_of(jump)}
    assert derived.pings == {"memory": 2}
    for other in ({}, {key_of(jump): b"of other bytes"}):
        derived = derive([payload], Bound(), quarantined, other)
        assert derived.rejects == {}
        newest = derived.newest()
        assert newest is not None
        assert dict(newest.select("vin", "time").rows()) == {"V": 1001.0, "W": 1000.0}
