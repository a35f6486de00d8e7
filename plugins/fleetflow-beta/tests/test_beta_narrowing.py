from fleetflow_beta.narrowing import Narrowing
from hypothesis import given
from hypothesis import strategies as st


@given(limit=st.integers(1, 5000), bad=st.integers(0, 5000), available=st.integers(1, 6000))
def test_one_bad_ping_is_found_in_few_requests(limit: int, bad: int, available: int) -> None:
    narrowing, since, requests = Narrowing(limit), -1, 0
    while since < available and not narrowing.found:
        assert (requests := requests + 1) < 60 + available / limit
        first, last = since + 1, since + narrowing.limit
        if first <= bad <= last and bad <= available:
            narrowing.failed(since, too_large=False)
        else:
            since = min(last, available)
            narrowing.passed(since, more=since < available)
    assert narrowing.found == (bad <= available)
    if narrowing.found:
        assert since + 1 == bad
        narrowing.passed(bad, more=True)
    assert narrowing.limit == limit
    assert not narrowing.active


def test_one_unreadable_answer_is_not_enough_to_ask_for_less() -> None:
    narrowing = Narrowing(1000)
    assert not narrowing.failed(0, too_large=False)
    assert narrowing.limit == 1000
    assert narrowing.failed(0, too_large=False)
    assert narrowing.limit == 500


def test_too_large_an_answer_is_reason_to_ask_for_less_at_once() -> None:
    narrowing = Narrowing(1000)
    assert narrowing.failed(0, too_large=True)
    assert narrowing.limit == 500
