"""A handful of lines is read one by one as it is by columns."""

from unittest.mock import patch

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from fleetflow.decode import handful
from fleetflow.decode.csv import CsvDecoder
from fleetflow.decode.field import Field
from fleetflow.testing import csv_payload

FIELDS = (
    Field("vin", pl.String()),
    Field("latitude", pl.Float64()),
    Field("time", pl.Float64()),
    Field("sequence", pl.Int64(), csv=False),
    Field("load", pl.Int64(), required=False),
    Field("codes", pl.List(pl.String()), required=False, default=[]),
    Field("driver", pl.String(), required=False, default="nobody"),
    Field("tags", pl.List(pl.String()), required=False, csv=False),
)

number = st.from_regex(handful.NUMBERS[pl.Float64()][0], fullmatch=True) | st.floats().map(repr)
whole = st.from_regex(handful.NUMBERS[pl.Int64()][0], fullmatch=True)
text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=","), max_size=6)
codes = st.lists(st.sampled_from(["P0171", "B0001", ""]), max_size=3).map(" ".join)
odd = st.sampled_from(
    ["", " ", "x", "1e5", "+1", "1_0", ".5", "5.", "00.5", "\xe4", "\r", "\0", "\t", '"', "-"]
)
line = st.integers(2, 7).flatmap(
    lambda columns: st.tuples(
        *(kind | odd for kind in (text, number, number, whole, codes, text, text)[:columns])
    )
)
plain = st.integers(3, 6).flatmap(
    lambda columns: st.lists(
        st.tuples(*(text, number, number, whole, codes, text)[:columns]), min_size=1, max_size=4
    )
)


def decode(lines):
    data = "".join(",".join(cells) + "\n" for cells in lines).encode()
    payloads = [csv_payload(data, 100), csv_payload("Z,1,2\n", 7, "other.csv")] if data else []
    return CsvDecoder(FIELDS).decode(payloads or [csv_payload("")])


@given(plain | st.lists(line, max_size=4))
def test_a_handful_of_lines_is_read_as_many_are(lines):
    few = decode(lines)
    with patch.object(handful, "MOST_BYTES", 0):
        many = decode(lines)
    assert_frame_equal(few.pings, many.pings, check_exact=True)
    assert (few.rejects, few.records) == (many.rejects, many.records)
    rows = range(few.pings.height)
    assert few.locate(rows) == many.locate(rows)


def test_the_usual_form_is_read_one_by_one():
    for data in (b"A,40.1,-90.5\n", b"A,40.1,2,17\nB,1,2,3\n", b",1,2,3,P0171 P0300\n", b"A,1,2,3,,\n"):
        assert handful.read(data, [field for field in FIELDS if field.csv], 3) is not None
    assert handful.read(b"A,1,2\nB,1,2,3\n", [field for field in FIELDS if field.csv], 3) is None
