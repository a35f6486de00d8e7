"""Pages that are read in C are what the reader in Python makes of them, whatever they are."""

import json

import polars as pl
import pytest
from fleetflow_ping.plugin import FIELDS
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from fleetflow.contracts.payload import Payload
from fleetflow.decode.json import JsonDecoder
from fleetflow.native.library import library
from fleetflow.native.pages import page_reader

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")

NATIVE, PLAIN = JsonDecoder(FIELDS), JsonDecoder(FIELDS)
PLAIN._native = None

TEXTS = st.sampled_from(
    ['"A"', '"5FL00000000000902"', '""', '"é"', '"\\u0041"', '"\\n"', '"a\tb"', '"\x7f"', "1"]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,15})?", fullmatch=True),
    st.sampled_from(
        ["0", "-0", "-0.0", "00", "01", "1.", ".5", "+1", "1e3", "1E-2", "NaN", "null", "true", '"1"']
    ),
    st.sampled_from(
        ["9007199254740993", "999999999999999", "9223372036854775807", "9223372036854775808", "-", ""]
    ),
)
WORDS = st.sampled_from(
    ["[]", '["P0171"]', '["P0171", "P0300"]', '[ "" ,"a b" ]', '["é"]', "null", "[1]", '["a",]', '"P1"']
)
OTHERS = st.sampled_from(
    ["1", "-1.5", '"x"', "true", "false", "null", "nul", "[1]", "{}", '"\\""', "1e5", "01"]
)
SPACE = st.sampled_from(["", "", "", " ", "\n\t", "\r\n"])
GOOD = st.tuples(st.floats(-90, 90).map(repr), st.integers(0, 10**12).map(str), st.booleans())


@st.composite
def objects(draw):
    latitude, sequence, usual = draw(GOOD)
    members = [
        ("vin", '"5FL00000000000902"' if usual else draw(TEXTS)),
        ("latitude", latitude if usual else draw(NUMBERS)),
        ("longitude", "1.5"),
        ("time", "1750000013.5" if usual else draw(NUMBERS)),
        ("sequence", sequence if usual else draw(NUMBERS)),
    ]
    if draw(st.booleans()):
        members.append(("obd_codes", '["P0171"]' if usual else draw(WORDS)))
    if draw(st.integers(0, 4)) == 0:
        members.append((draw(st.sampled_from(["speed", "vin", "sequenc", "é", ""])), draw(OTHERS)))
    if draw(st.integers(0, 6)) == 0:
        members.pop(draw(st.integers(0, len(members) - 1)))
    if draw(st.integers(0, 3)) == 0:
        members = draw(st.permutations(members))
    a, b, c = draw(SPACE), draw(SPACE), draw(SPACE)
    return "{" + a + f",{b}".join(f'"{name}"{a}:{c}{value}{b}' for name, value in members) + "}"


@st.composite
def pages(draw):
    a, b = draw(SPACE), draw(SPACE)
    text = a + "[" + b + f"{a},{b}".join(draw(st.lists(objects(), max_size=5))) + a + "]" + b
    return text.encode()


@st.composite
def broken(draw):
    page = bytearray(draw(pages()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(page) - 1)))
        kind = draw(st.integers(0, 2))
        byte = draw(st.sampled_from(b'{}[]",:\\ 0e.-\x00\xff\x1f'))
        if kind == 0:
            del page[at:]
        elif kind == 1:
            page[at : at + 1] = bytes([byte])
        else:
            page.insert(at, byte)
    return bytes(page)


def same(bodies):
    payloads = [
        Payload("beta", "beta-0", "service", 100 * n, 100 * n + 9, body, "application/json", 5.0)
        for n, body in enumerate(bodies)
    ]
    found, wanted = NATIVE.decode(payloads), PLAIN.decode(payloads)
    assert_frame_equal(found.pings, wanted.pings, check_exact=True)
    assert list(found.rejects) == list(wanted.rejects)
    assert list(found.records) == list(wanted.records)
    if found.pings["sequence"].n_unique() == found.pings.height:
        every = range(found.pings.height)
        assert list(found.locate(every)) == list(wanted.locate(every))
    return found


@given(st.lists(pages(), min_size=1, max_size=3))
def test_both_readers_say_the_same_of_all_pages(bodies):
    same(bodies)


@given(st.lists(broken(), min_size=1, max_size=2))
def test_both_readers_say_the_same_of_broken_pages(bodies):
    same(bodies)


def ping(number, **more):
    return {
        "vin": f"5FL{number % 7:014d}",
        "latitude": 25 + number / 97,
        "longitude": -100.5,
        "time": 1750000000.25 + number,
        "sequence": number,
        "obd_codes": ["P0171", "P0300"] if number % 3 == 0 else [],
        **more,
    }


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_pages_of_the_usual_form_are_read_in_c(separators):
    bodies = [
        json.dumps([ping(n, speed=1.5) for n in range(a, b)], separators=separators).encode()
        for a, b in ((0, 300), (300, 300), (300, 1000))
    ]
    assert NATIVE._native.read(bodies)[1] == [300, 0, 700]
    assert same(bodies).pings.height == 1000


def test_one_strange_record_leaves_its_page_to_the_other_reader(monkeypatch):
    bodies = [
        json.dumps([ping(1)]).encode(),
        json.dumps([ping(2, vin="é"), ping(3)], ensure_ascii=False).encode(),
    ]
    assert NATIVE._native.read(bodies) is None
    assert same(bodies).pings["vin"].to_list() == [ping(1)["vin"], "é", ping(3)["vin"]]
    others, by_elements = [], NATIVE._by_elements
    monkeypatch.setattr(NATIVE, "_by_elements", lambda some: others.append(some) or by_elements(some))
    same(bodies)
    assert [[payload.data for payload in some] for some in others] == [bodies[1:]]


def test_what_nobody_asks_for_is_skipped():
    reader = page_reader([("sequence", pl.Int64(), True)])
    columns, records = reader.read([json.dumps([ping(n) for n in range(9)]).encode()])
    assert (columns[0].to_list(), records) == (list(range(9)), [9])


def test_texts_that_were_read_outlive_the_page():
    found = NATIVE.decode(
        [Payload("b", "b", "s", 0, 9, json.dumps([ping(3)] * 3).encode(), "application/json", 1.0)]
    )
    later = [same([json.dumps([ping(n, vin="x" * 40)] * 50).encode()]) for n in range(20)]
    assert found.pings["vin"].to_list() == ["5FL00000000000003"] * 3
    assert found.pings["obd_codes"].to_list() == [["P0171", "P0300"]] * 3
    assert len(later) == 20
