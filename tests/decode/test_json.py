"""JSON pages to pings: an element that does not fit does not stop its page."""

import json

from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.contracts.payload import Payload

SCHEMA = fleetflow_schema()
PING = {"vin": "A", "latitude": 1.0, "longitude": 2.0, "time": 3.0, "sequence": 4, "obd_codes": ["P0171"]}


def page(data, start=0, end=100):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Payload("beta", "beta-0", "http://localhost", start, end, body, "application/json", 1.0)


def test_elements_become_pings_with_their_places():
    decoded = SCHEMA.decode(
        [page([PING]), page([{**PING, "sequence": 5}, {**PING, "sequence": 6, "more": 1}])]
    )
    assert decoded.pings["sequence"].to_list() == [4, 5, 6]
    assert decoded.pings["obd_codes"].to_list() == [["P0171"]] * 3
    assert decoded.records == [1, 2]
    assert [json.loads(place.raw)["sequence"] for place in decoded.locate([2, 0])] == [6, 4]


@given(st.lists(st.lists(st.text(max_size=5), max_size=3), max_size=9))
def test_codes_stay_with_their_ping(codes):
    pings = [{**PING, "sequence": number, "obd_codes": words} for number, words in enumerate(codes)]
    assert SCHEMA.decode([page(pings)]).pings["obd_codes"].to_list() == codes


def test_missing_codes_are_none_at_all():
    ping = {name: value for name, value in PING.items() if name != "obd_codes"}
    assert SCHEMA.decode([page([ping])]).pings["obd_codes"].to_list() == [[]]


def test_an_element_of_wrong_type_is_rejected_and_the_page_goes_on():
    bad = [{**PING, "latitude": "x", "sequence": 5}, {**PING, "vin": None, "sequence": 6}, 7, {}]
    huge = {**PING, "sequence": 2**70}
    decoded = SCHEMA.decode([page([PING, *bad, huge, {**PING, "sequence": 9}])])
    assert decoded.pings["sequence"].to_list() == [4, 9]
    assert [json.loads(reject.place.raw) for reject in decoded.rejects] == [*bad, huge]
    assert decoded.rejects[0].place.start == 5
    assert "latitude" in decoded.rejects[0].reason
    assert decoded.records == [7]
    assert len({(r.place.start, r.place.end) for r in decoded.rejects}) == len(decoded.rejects)


@given(st.lists(st.integers(-(2**63) - 2, -(2**63) + 1) | st.integers(2**63 - 2, 2**63 + 1), min_size=1))
def test_sequences_that_do_not_fit_are_rejected_and_the_others_go_on(sequences):
    decoded = SCHEMA.decode([page([{**PING, "sequence": number} for number in sequences]), page([PING])])
    fitting = [number for number in sequences if -(2**63) <= number < 2**63]
    assert decoded.pings["sequence"].to_list() == [*fitting, 4]
    assert decoded.records == [len(sequences), 1]
    assert {reject.reason for reject in decoded.rejects} <= {"sequence does not fit into 64 bits"}
    assert len(decoded.rejects) == len(sequences) - len(fitting)
    assert decoded.locate([len(fitting)])[0].start == 4


def test_a_page_that_is_no_array_is_one_reject():
    for body in (b"<html>", b'{"a": 1}', b"\xff", b"", b"[" * 100_000):
        decoded = SCHEMA.decode([page(body)])
        assert decoded.records == [1]
        assert decoded.rejects[0].place.raw == body


def test_unknown_media_types_are_rejected_beside_known_ones():
    strange = Payload("beta", "beta-0", "r", 0, 1, b"?", "application/x-strange", 1.0)
    decoded = SCHEMA.decode([page([PING]), strange, page([{**PING, "sequence": 5}])])
    assert decoded.pings["sequence"].to_list() == [4, 5]
    assert decoded.records == [1, 1, 1]
    assert "application/x-strange" in decoded.rejects[0].reason
    assert json.loads(decoded.locate([1])[0].raw)["sequence"] == 5
