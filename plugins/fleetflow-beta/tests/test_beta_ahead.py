"""What was fetched and not yet drained."""

import threading

from fleetflow_beta.ahead import MOST_BYTES, Ahead, Item
from fleetflow_beta.reached import Reached


def item(size: int = 1) -> Item:
    return Item((), Reached(), 1, size)


def test_pages_are_gathered_while_the_service_has_more() -> None:
    ahead = Ahead(10, gather_s=3600)
    ahead.put(item(), more=True)
    assert ahead.take(1000) == []
    assert ahead.next_take_s() > 3000
    ahead.put(item(), more=False)
    assert len(ahead.take(1000)) == 2


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
