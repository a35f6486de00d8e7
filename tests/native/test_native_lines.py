"""Lines that are read in C are what the reader in Python makes of them, whatever they are."""

from itertools import pairwise

import polars as pl
import pytest
from fleetflow_ping.plugin import FIELDS
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from fleetflow.decode.csv import CsvDecoder
from fleetflow.decode.field import Field
from fleetflow.native.library import library
from fleetflow.testing import csv_payload

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is no C compiler")

VINS = st.sampled_from(
    ["A", "B", "5FL00000000000902", "5FL00000000000903", "twelve bytes", "", " ", '"', "é"]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64).map(repr),
    st.decimals(-200, 2_000_000_000, places=7).map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,12})?", fullmatch=True),
    st.sampled_from(
        ["", "-", ".", "1.", ".5", "+1", "1e3", "inf", "nan", "x", " 1", "1 ", "00", "-0", "0x1"]
    ),
)
CODES = st.sampled_from(
    [None, "", "P0171", "P0171 P0300", " P0171", "P1  P2 ", " ", "  ", "thirteen-bytes P1"]
)
RESTS = st.sampled_from(["", ",", ",more", ",more,columns", "\r", ",\t", ",\xff"])
USUAL = st.tuples(
    VINS, st.decimals(-90, 90, places=6).map(str), NUMBERS, st.sampled_from(["1750000013.5", "1750000013"])
).map(",".join)
LINES = st.one_of(
    USUAL,
    st.tuples(USUAL, CODES, RESTS).map(lambda t: t[0] + ("" if t[1] is None else "," + t[1]) + t[2]),
    st.text("ab,1. \r\t\xe9\x00", max_size=12),
).map(lambda line: line.encode("latin-1", "ignore").replace(b"\n", b"") + b"\n")


def decoders():
    native, plain = CsvDecoder(FIELDS), CsvDecoder(FIELDS)
    assert native._native is not None
    plain._native = None
    return native, plain


NATIVE, PLAIN = decoders()


def same(payloads):
    found, wanted = NATIVE.decode(payloads), PLAIN.decode(payloads)
    assert_frame_equal(found.pings, wanted.pings, check_exact=True)
    assert list(found.rejects) == list(wanted.rejects)
    assert list(found.records) == list(wanted.records)
    every = range(found.pings.height)
    assert list(found.locate(every)) == list(wanted.locate(every))
    return found


@given(st.lists(st.lists(LINES, max_size=8).map(b"".join), min_size=1, max_size=4))
def test_both_readers_say_the_same_of_all_lines(pieces):
    borders = [7 * len(pieces), *[len(piece) for piece in pieces]]
    starts = [sum(borders[: index + 1]) for index in range(len(pieces))]
    same([csv_payload(piece, start) for piece, start in zip(pieces, starts, strict=True)])


@given(st.lists(USUAL.map(str.encode), min_size=1, max_size=300))
def test_both_readers_say_the_same_of_many_usual_lines(lines):
    same([csv_payload(b"\n".join(lines) + b"\n")])


def test_a_strange_line_among_many_is_where_it_was():
    lines = [f"5FL0000000000{n // 50:04d},1.5,{n},1750000000.25\n" for n in range(2000)]
    lines[700], lines[701], lines[1500] = "5FL,1e0,700,1\n", "nothing\n", "é,1,1500,1\n"
    found = same([csv_payload("".join(lines))])
    assert [place.raw for place in found.locate([700, 1499])] == [lines[700].encode(), lines[1500].encode()]
    assert found.pings["longitude"].to_list() == [float(n) for n in range(2000) if n != 701]
    assert all(before < after for before, after in pairwise(found.pings["sequence"].to_list()))
    assert len(found.rejects) == 1


def test_where_most_lines_are_strange_the_other_reader_takes_all():
    payload = csv_payload("A,1e0,2,3\n" * 500)
    assert NATIVE._native.read([payload.data], [0]) is None
    assert same([payload]).pings.height == 500


def test_bytes_without_a_newline_at_their_end_are_left_to_the_other_reader():
    assert NATIVE._native.read([b"A,1,2,3"], [0]) is None
    assert same([csv_payload("A,1,2,3")]).pings.height == 1


def test_texts_that_were_read_outlive_the_payload():
    found = NATIVE.decode([csv_payload("a long name of a vehicle,1,2,3,a-long-code another-long-code\n" * 3)])
    later = [NATIVE.decode([csv_payload(f"{'x' * 40},1,2,3\n" * 100)]) for _ in range(20)]
    assert found.pings["vin"].to_list() == ["a long name of a vehicle"] * 3
    assert found.pings["obd_codes"].to_list() == [["a-long-code", "another-long-code"]] * 3
    assert len(later) == 20


def test_very_many_strange_lines_are_where_they_were():
    lines = [f"A,{'1e0' if n % 5 == 0 else '1'},{n},1\n" for n in range(5000)]
    found = same([csv_payload("".join(lines))])
    assert found.pings["longitude"].to_list() == [float(n) for n in range(5000)]


def test_words_with_a_default_of_their_own_are_read_in_python():
    fields = (*FIELDS[:-1], Field("words", pl.List(pl.String()), required=False, default=["none"]))
    decoder = CsvDecoder(fields)
    assert decoder._native is None
    assert decoder.decode([csv_payload("A,1,2,3\n" * 200)]).pings["words"].to_list() == [["none"]] * 200
