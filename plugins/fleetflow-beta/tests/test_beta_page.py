import json

import pytest
from beta_service import ping
from fleetflow_beta.page import LARGEST, BodyError, place, quoted, read
from hypothesis import given
from hypothesis import strategies as st


def body(*sequences: object) -> bytes:
    return json.dumps([{"vin": "A", "sequence": s} for s in sequences]).encode()


def test_contiguous_page_is_handed_on_as_it_came() -> None:
    data = body(5, 6, 7)
    placed = place(read(data), 4)
    assert placed is not None
    assert (placed.start, placed.end, placed.fresh, placed.lost) == (5, 8, 3, 0)
    assert placed.page.data is data


@pytest.mark.parametrize(
    ("sequences", "since", "start", "end", "fresh", "lost"),
    [
        ((9, 10), 4, 9, 11, 2, 4),  # a gap before
        ((5, 8), 4, 5, 9, 2, 2),  # a gap within
        ((6, 8), 4, 6, 9, 2, 2),  # both
        ((15, 16), -1, 15, 17, 2, 15),  # the history has lost its beginning
        ((7, 6, 5), 4, 5, 8, 3, 0),  # not rising
        ((3, 4, 5, 5, 6), 4, 5, 7, 2, 0),  # some were not asked for, one comes twice
        ((5, "x", 7), 4, 5, 8, 3, 0),  # a ping without a usable sequence stands where one is missing
        (("x", 6), 4, 5, 7, 2, 0),
        (("x", 8), 4, 5, 9, 2, 2),
        ((5, None, -1, 1.5, True, LARGEST + 1, 11), 4, 5, 12, 7, 0),
    ],
)
def test_page_says_where_it_reaches_and_what_is_lost(
    sequences: tuple[object, ...], since: int, start: int, end: int, fresh: int, lost: int
) -> None:
    placed = place(read(body(*sequences)), since)
    assert placed is not None
    assert (placed.start, placed.end, placed.fresh, placed.lost) == (start, end, fresh, lost)
    assert placed.page.sequences[placed.highest] == end - 1


def test_elements_at_the_end_without_a_sequence_are_left_to_the_next_page() -> None:
    placed = place(read(b'[{"sequence": 5}, {"vin":  "x"}, 7]'), 4)
    assert placed is not None
    assert placed.page.data == b'[{"sequence": 5}]'
    assert (placed.end, placed.fresh) == (6, 1)


@pytest.mark.parametrize("sequences", [(), (1, 2), ("x",), (1, "x")])
def test_page_without_a_sequence_above_does_not_bring_on(sequences: tuple[object, ...]) -> None:
    assert place(read(body(*sequences)), 4) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "found an object"),
        (b"3", "found a int"),
        (b"null", "found a NoneType"),
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'[{"sequence": 1}', "not JSON"),
        (b"\xff\xfe[\x00", "not UTF-8"),
        (b"[" * 100_000 + b"]" * 100_000, "too many levels"),
        (b"[" + b"9" * 5000 + b", NaN]", "too many digits"),
    ],
)
def test_what_is_no_array_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(BodyError, match=words):
        read(data)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_literal_that_json_lacks_spoils_its_own_element_only(literal: str) -> None:
    page = read(f'[{{"sequence": 1, "latitude": {literal}}}, {{"sequence": 2, "latitude": 1e999}}]'.encode())
    assert json.loads(page.data) == [
        {"sequence": 1, "latitude": literal},
        {"sequence": 2, "latitude": "1e999"},
    ]
    assert list(page.sequences) == [1, 2]


def test_text_that_is_no_utf8_does_not_hide_the_sequences() -> None:
    data = b'[{"sequence": 1, "vin": "\xff"}, {"sequence": 2}]'
    page = read(data)
    assert page.data == data
    assert list(page.sequences) == [1, 2]


def test_half_a_surrogate_pair_spoils_its_own_element_only() -> None:
    page = read(b'[{"sequence": 1, "vin": "\\ud800"}, {"sequence": 2, "vin": "\\ud83d\\ude00"}, "\\udfff"]')
    assert json.loads(page.data) == [
        {"sequence": 1, "unreadable": '{"sequence": 1, "vin": "\\ud800"}'},
        {"sequence": 2, "vin": "\U0001f600"},
        {"unreadable": '"\\udfff"'},
    ]
    assert page.sequences == [1, 2, None]


def test_byte_order_mark_is_taken_off() -> None:
    assert read(b"\xef\xbb\xbf" + body(1)).sequences == [1]


def test_fingerprint_is_of_the_ping_and_not_of_its_writing() -> None:
    first = read(json.dumps([ping(3)]).encode()).mark(0)
    added = read(json.dumps([ping(3) | {"speed": 3}], indent=1, sort_keys=True).encode()).mark(0)
    other = read(json.dumps([ping(3) | {"time": 5.5}]).encode()).mark(0)
    assert first == added
    assert first != other
    assert first[0] == 3


def test_ping_without_vin_and_time_has_a_fingerprint_of_all_its_members() -> None:
    one, same, other = (
        read(text).mark(0)
        for text in (b'[{"sequence":1,"a":1}]', b'[{"a": 1, "sequence": 1}]', b'[{"sequence":1,"a":2}]')
    )
    assert one == same != other


def test_quoted_body_is_a_page_of_one_element() -> None:
    assert json.loads(quoted(b'[{"\xff')) == ['[{"\\xff']


@given(st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=12), st.integers(-1, 30))
def test_placing_keeps_its_promises(sequences: list[int | None], since: int) -> None:
    placed = place(read(body(*sequences)), since)
    above = {s for s in sequences if s is not None and s > since}
    if placed is None:
        assert not above
        return
    kept = json.loads(placed.page.data)
    assert placed.end == max(above) + 1 > placed.start > since
    assert above <= {element["sequence"] for element in kept}
    assert 0 <= placed.lost <= placed.end - 1 - since - len(above)
    assert placed.page.sequences[placed.highest] == placed.end - 1
