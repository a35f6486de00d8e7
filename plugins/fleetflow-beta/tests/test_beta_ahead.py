"""What was fetched and not yet drained."""

import threading

import pytest
from fleetflow_beta.ahead import AGAIN_S, MOST_BYTES, Ahead, Item
from fleetflow_beta.reached import Reached


def item(size: int = 1) -> Item:
    return Item((), Reached(), 1, size)


def test_pages_are_gathered_while_the_service_has_more() -> None:
    ahead = Ahead(10, gather_s=3600)
    ahead.put(item(), more=True)
    assert ahead.take(1000) == []
    # soon: by then it may be enough
    assert 0 < ahead.next_take_s() <= AGAIN_S
    ahead.put(item(), more=False)
    assert len(ahead.take(1000)) == 2


def test_they_are_gathered_for_longer_as_long_as_the_service_goes_on_to_have_more() -> None:
    now = 0.0
    ahead = Ahead(1000, gather_s=0.05, clock=lambda: now)

    def gathered() -> int:
        """Put a page every 0.01 s, and return how many there are when they are handed on."""
        nonlocal now
        for number in range(1, 1000):
            ahead.put(item(), more=True)
            now += 0.01
            if ahead.take(1000):
                return number
        raise AssertionError

    assert [gathered() for _ in range(6)] == [pytest.approx(n, abs=1) for n in (5, 10, 20, 40, 50, 50)]
    ahead.put(item(), more=False)
    assert len(ahead.take(1000)) == 1
    assert gathered() == pytest.approx(5, abs=1)


def test_a_long_time_to_gather_gets_no_longer() -> None:
    now = 0.0
    ahead = Ahead(1000, gather_s=1, clock=lambda: now)
    for _ in range(5):
        ahead.put(item(), more=True)
        now += 0.99
        assert ahead.take(1000) == []
        now += 0.01
        assert len(ahead.take(1000)) == 1


def test_what_is_gathered_does_not_wait_for_a_service_that_fails() -> None:
    ahead = Ahead(10, gather_s=3600)
    ahead.put(item(), more=True)
    assert ahead.take(1000) == []
    ahead.fail(None, give_up=False)
    assert len(ahead.take(1000)) == 1


def test_a_full_queue_is_handed_on_at_once() -> None:
    ahead = Ahead(2, gather_s=3600)
    ahead.put(item(), more=True)
    assert ahead.take(1000) == []
    ahead.put(item(), more=True)
    assert ahead.next_take_s() == 0
    assert len(ahead.take(1000)) == 2


def test_large_pages_fill_the_queue_before_their_number_does() -> None:
    ahead = Ahead(10, gather_s=3600)
    ahead.put(item(MOST_BYTES), more=True)
    waiting = threading.Thread(target=ahead.put, args=(item(), True))
    waiting.start()
    assert len(ahead.take(1)) == 1
    waiting.join(10)
    assert not waiting.is_alive()
    ahead.stop()
    assert len(ahead.take(1)) == 1
