"""CSV lines to pings: every oddity of a line, and the place of each."""

import polars as pl
import pytest
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.decode.schema import Field, FieldsSchema
from fleetflow.testing import csv_payload

SCHEMA = fleetflow_schema()


def decode(*texts):
    payloads, start = [], 0
    for text in texts:
        payloads.append(csv_payload(text, start))
        start += len(payloads[-1].data)
    return SCHEMA.decode(payloads)


def test_sequence_is_the_offset_of_the_line_in_its_file():
    decoded = SCHEMA.decode(
        [csv_payload("A,1,2,3\nB,1,2,3\n", 100), csv_payload("C,1,2,3\n", 7, "other.csv")]
    )
    assert decoded.pings["sequence"].to_list() == [100, 108, 7]
    assert [(p.resource, p.start, p.end, p.raw) for p in decoded.locate([1, 2])] == [
        ("test.csv", 108, 116, b"B,1,2,3\n"),
        ("other.csv", 7, 15, b"C,1,2,3\n"),
    ]


@pytest.mark.parametrize(
    "line",
    ["A,1,2,3", "A,1,2,3,P1 P2", "A,1,2,3,P1 P2,more,columns", "A,1,2,3\r", "A, 1,2,3", "A,1e0,2,3"],
)
def test_forms_of_a_line_that_are_pings(line):
    decoded = decode(line + "\n")
    assert decoded.pings.select("vin", "latitude", "longitude", "time").rows() == [("A", 1.0, 2.0, 3.0)]
    assert not decoded.rejects


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "the line is empty"),
        (b"A,1,2", "3 columns"),
        (b"A,x,2,3", "not a number"),
        (b"A,1,2,", "not a number"),
        (b"A,,2,3", "not a number"),
        (b"\xff\xfe,1,2,3", "not UTF-8"),
        (b"x" * 1_000_000, "1 columns"),
    ],
)
def test_forms_that_are_malformed_keep_their_raw_bytes(line, words):
    decoded = decode(b"A,1,2,3\n" + line + b"\nB,1,2,3\n")
    assert decoded.pings["vin"].to_list() == ["A", "B"]
    (reject,) = decoded.rejects
    assert reject.place.raw == line + b"\n"
    assert (reject.place.start, reject.place.end) == (8, 8 + len(line) + 1)
    assert words in reject.reason
    assert len(reject.reason) < 1000
    assert decoded.records == [3]


def test_codes_are_split_at_spaces():
    decoded = decode("A,1,2,3,P0171  P0300 \nB,1,2,3\nC,1,2,3,\nD,1,2,3,B0001\r\n")
    assert decoded.pings["obd_codes"].to_list() == [["P0171", "P0300"], [], [], ["B0001"]]


def test_nothing_but_spaces_is_no_code_whatever_other_lines_have():
    lines = ["A,1,2,3, \n", "B,1,2,3,  \n", "é,1,2,3, \n"]
    assert decode(*lines).pings["obd_codes"].to_list() == [[], [], []]
    assert [decode(line).pings["obd_codes"].to_list() for line in lines] == [[[]], [[]], [[]]]


def test_quotes_and_number_signs_are_ordinary_characters():
    assert decode('"A,1,2,3\n#B,1,2,3\n').pings["vin"].to_list() == ['"A', "#B"]


def test_nothing_is_nothing():
    decoded = decode("")
    assert (decoded.pings.height, decoded.rejects, decoded.records) == (0, [], [0])


raw_lines = st.lists(
    st.one_of(
        st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")),
        st.tuples(st.sampled_from(["A", "BC", ""]), st.floats(), st.floats(), st.floats()).map(
            lambda t: f"{t[0]},{t[1]!r},{t[2]!r},{t[3]!r}".encode()
        ),
    )
)


@given(raw_lines)
def test_every_line_becomes_one_ping_or_one_reject_and_is_found_again(lines):
    data = b"".join(line + b"\n" for line in lines)
    decoded = decode(data)
    assert decoded.records == [len(lines)]
    assert decoded.pings.height + len(decoded.rejects) == len(lines)
    places = [*decoded.locate(range(decoded.pings.height)), *(reject.place for reject in decoded.rejects)]
    assert b"".join(place.raw for place in sorted(places, key=lambda place: place.start)) == data
    for row, place in zip(
        decoded.pings.iter_rows(named=True), decoded.locate(range(decoded.pings.height)), strict=True
    ):
        fields = place.raw.decode().rstrip("\r\n").split(",")
        assert row["vin"] == fields[0]
        assert row["latitude"] == pytest.approx(float(fields[1]), nan_ok=True)


odd_lines = st.sampled_from(
    ["A,1,2,3", "A,1,2,3,P0171", "A,1,2,3,", "A,1,2,3,P0171,more", "A,1,2", "A,1,x,3", "A,1,,3", "", ",1,2,3"]
)


@given(st.lists(odd_lines, min_size=1), st.lists(odd_lines))
def test_a_line_is_read_alike_whatever_lines_stand_beside_it(lines, beside):
    def rows(decoded):
        return decoded.pings.drop("sequence").rows(), [reject.place.raw for reject in decoded.rejects]

    alone = [rows(decode(f"{line}\n")) for line in [*lines, *beside]]
    pings, raws = rows(decode("".join(f"{line}\n" for line in [*lines, *beside])))
    assert pings == [row for found, _ in alone for row in found]
    assert raws == [raw for _, found in alone for raw in found]


def test_fields_that_lines_do_not_carry_have_their_defaults():
    schema = FieldsSchema(
        "ping",
        9,
        [
            Field("vin", pl.String()),
            Field("tags", pl.List(pl.String()), required=False, csv=False),
            Field("time", pl.Float64()),
            Field("driver", pl.String(), required=False, default="nobody", csv=False),
            Field("load", pl.Float64(), required=False, csv=False),
            Field("sequence", pl.Int64(), csv=False),
        ],
    )
    decoded = schema.decode([csv_payload("A,1\nB,x\nC,3\n")])
    assert decoded.pings.rows() == [("A", [], 1.0, "nobody", None, 0), ("C", [], 3.0, "nobody", None, 8)]
    assert len(decoded.rejects) == 1
