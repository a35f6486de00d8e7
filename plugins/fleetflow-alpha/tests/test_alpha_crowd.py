"""Files that have to be waited for are waited for together; nothing else changes."""

import math
import operator
import threading
from pathlib import Path
from typing import Any

import pytest
from fleetflow_alpha import crowd
from fleetflow_alpha.crowd import SAMPLE, Crowd

DEADLINE_S = 20.0


@pytest.fixture
def many() -> Any:
    made = Crowd("test")
    yield made
    made.close()


def test_without_waiting_each_item_is_taken_when_it_is_its_turn(many: Crowd, monkeypatch: Any) -> None:
    monkeypatch.setattr(crowd, "LONG_S", math.inf)
    seen: list[str] = []

    def items() -> Any:
        for number in range(3 * SAMPLE):
            seen.append(f"taken {number}")
            yield number

    for number in many.each(lambda number: number, items()):
        seen.append(f"done {number}")
    assert seen == [word for number in range(3 * SAMPLE) for word in (f"taken {number}", f"done {number}")]
    assert not many.slow


def test_what_has_to_be_waited_for_is_waited_for_together(many: Crowd, monkeypatch: Any) -> None:
    monkeypatch.setattr(crowd, "LONG_S", -1.0)
    list(many.each(str, range(SAMPLE)))
    assert many.slow
    together = threading.Barrier(crowd.THREADS, timeout=DEADLINE_S)

    def wait(number: int) -> int:
        # nobody passes before all are here
        together.wait()
        return number

    assert list(many.each(wait, range(3 * crowd.THREADS))) == list(range(3 * crowd.THREADS))


def test_a_crowd_learns_that_waiting_is_over(many: Crowd, monkeypatch: Any) -> None:
    many.slow = True
    monkeypatch.setattr(crowd, "LONG_S", math.inf)
    assert list(many.each(abs, range(SAMPLE))) == list(range(SAMPLE))
    assert not many.slow


@pytest.mark.parametrize("slow", [False, True])
def test_an_error_is_that_of_its_item(many: Crowd, slow: bool) -> None:
    many.slow = slow
    found = many.each(lambda number: 1 // number, [2, 1, 0, 1])
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_files_that_have_to_be_waited_for_come_in_the_same_order(
    folder: Path, read: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("fleetflow_alpha.partition.POLL_AT_MOST_S", 60.0)
    for number in range(3 * crowd.AT_ONCE):
        (folder / f"{number}.csv").write_bytes(b"%d\n" % number * 3000)
    orders = []
    for long_s in (math.inf, -1.0):
        monkeypatch.setattr(crowd, "LONG_S", long_s)
        reader = read(block_bytes=4096)
        reader.partition._scanner.reads.slow = long_s < 0
        payloads = reader.drain()
        orders.append([payload.resource for payload in payloads if not payload.start])
        joined: dict[str, bytes] = {}
        for payload in payloads:
            assert payload.start == len(joined.get(payload.resource, b""))
            joined[payload.resource] = joined.get(payload.resource, b"") + payload.data
        assert joined == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert orders[0] == orders[1]


def test_files_that_have_to_be_waited_for_respect_what_is_asked_for(
    folder: Path, read: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(crowd, "LONG_S", -1.0)
    for number in range(crowd.AT_ONCE):
        (folder / f"{number}.csv").write_bytes(b"one line\n" * 10_000)
    reader = read(poll_s=60)
    reader.partition._scanner.reads.slow = True
    asked = 200_000
    while not reader.partition.caught_up():
        assert sum(len(payload.data) for payload in reader.poll(asked)) <= asked


def test_a_batch_goes_on_where_it_was_left(many: Crowd, monkeypatch: Any) -> None:
    monkeypatch.setattr(crowd, "LONG_S", math.inf)
    taken = []

    def some(numbers: Any) -> Any:
        taken.append(len(numbers))
        return [(-number, 0.0) for number in numbers[:100]]

    found = list(many.each(operator.neg, range(crowd.BATCH + 1), some))
    assert found == [-number for number in range(crowd.BATCH + 1)]
    assert taken == [crowd.BATCH, crowd.BATCH - 100, crowd.BATCH - 200, 1]


def test_the_rest_of_a_batch_that_is_waited_for_is_done_together(many: Crowd) -> None:
    taken = []

    def some(numbers: Any) -> Any:
        taken.append(len(numbers))
        return [(-number, 2 * crowd.LONG_S) for number in numbers[: crowd.SAMPLE]]

    found = many.each(operator.neg, range(50), some)
    assert [next(found) for _ in range(crowd.SAMPLE)] == [-number for number in range(crowd.SAMPLE)]
    assert many.slow
    assert list(found) == [-number for number in range(crowd.SAMPLE, 50)]
    assert taken[0] == 50
