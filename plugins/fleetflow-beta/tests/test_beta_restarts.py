"""A service that starts again at 0, one whose history is too short, and how they are told apart."""

import logging
import pickle
from typing import Any

import pytest
from beta_service import Service, ping, reading, status, wait_for


def vins_and_times(elements: list[Any]) -> set[tuple[int, float]]:
    return {(element["sequence"], element["time"]) for element in elements}


def expected(run: int, sequences: range) -> set[tuple[int, float]]:
    return vins_and_times([ping(sequence, run) for sequence in sequences])


@pytest.mark.parametrize("count", [1, 5, 20, 21, 60], ids=lambda count: f"then_{count}_pings")
@pytest.mark.parametrize("how", ["at_once", "with_an_outage", "while_away"])
def test_restart_is_noticed_and_the_service_is_read_from_its_beginning(
    service: Service, count: int, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(20)
    with reading(service.url, limit=10) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        stored = reader.partition.position()
        if how == "with_an_outage":
            service.always = status(502)
            reader.until(lambda: reader.notices("error"))
        if how != "while_away":
            service.restart(count)
            service.always = None
            reader.until(lambda: expected(1, range(count)) <= vins_and_times(reader.elements))
    if how == "while_away":
        service.restart(count)
        with reading(service.url, limit=10, position=stored) as reader:
            reader.until(lambda: expected(1, range(count)) <= vins_and_times(reader.elements))
    (restart,) = reader.notices("restart")
    assert restart.data["generation"] == 2
    assert restart.data["previous_sequence"] >= 19
    second = [payload for payload in reader.payloads if payload.resource == f"{service.url}~2"]
    assert second[0].start == 0
    assert second[-1].end == count
    assert reader.entry(service.url)["generation"] == 2
    assert not reader.notices("gap")
    assert any("has started again" in r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)


def test_restart_that_has_no_pings_yet_is_noticed_with_its_first(service: Service) -> None:
    service.add(20)
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        service.restart(0)
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 20)
        reader.poll()
        assert reader.notices() == []
        service.add(1)
        reader.until(lambda: reader.notices("restart"))
        reader.until(lambda: len(reader.elements) == 21)


def test_each_restart_begins_a_generation(service: Service) -> None:
    service.add(5)
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 5)
        for run in (1, 2, 3):
            service.restart(5)
            reader.until(lambda: expected(run, range(5)) <= vins_and_times(reader.elements))  # noqa: B023
        position = reader.partition.position()
    assert [n.data["generation"] for n in reader.notices("restart")] == [2, 3, 4]
    assert reader.payloads[-1].resource == f"{service.url}~4"
    service.add(2)
    with reading(service.url, position=pickle.loads(pickle.dumps(position))) as resumed:
        resumed.until(lambda: len(resumed.elements) == 2)
    assert resumed.payloads[0].resource == f"{service.url}~4"
    assert resumed.payloads[0].start == 5


def test_restart_that_overtook_between_two_checks_is_noticed_later(service: Service) -> None:
    service.add(20)
    with reading(service.url, verify_polls=8) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        # its first answer after the restart has sequences above ours: it looks like the old service
        service.restart(40)
        reader.until(lambda: expected(1, range(40)) <= vins_and_times(reader.elements))
    assert len(reader.notices("restart")) == 1


def test_outage_is_not_taken_for_a_restart(service: Service) -> None:
    service.add(20)
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        for number in range(3):
            service.always = status(503)
            reader.until(lambda: len(reader.notices("error")) == number + 1)  # noqa: B023
            service.always = None
            reader.until(lambda: len(reader.notices("recovered")) == number + 1)  # noqa: B023
        service.add(5)
        reader.until(lambda: len(reader.elements) == 25)
    assert not reader.notices("restart")
    assert reader.entry(service.url)["generation"] == 1


def test_history_that_lost_our_last_ping_is_a_gap_and_no_restart(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(20)
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        stored = reader.partition.position()
    service.add(40)
    service.forget(50)
    with reading(service.url, position=stored) as reader:
        reader.until(lambda: len(reader.elements) == 10)
    (gap,) = reader.notices("gap")
    assert gap.data["lost"] == 30
    assert (gap.data["after"], gap.data["first"]) == (19, 50)
    assert (reader.payloads[0].start, reader.payloads[0].end) == (50, 60)
    assert not reader.notices("restart")
    assert any("lost upstream" in r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)


def test_history_that_was_emptied_is_no_restart(service: Service) -> None:
    service.add(20)
    with reading(service.url, verify_polls=1) as reader:
        reader.until(lambda: len(reader.elements) == 20)
        service.forget(20)
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 10)
        service.add(5)
        reader.until(lambda: len(reader.elements) == 25)
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 10)
        reader.poll()
    assert reader.sequences == list(range(25))
    assert reader.notices() == []


def test_gap_within_a_page_is_told(service: Service) -> None:
    service.add(5)
    service.next = 9
    service.add(5)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
    (gap,) = reader.notices("gap")
    assert gap.data["lost"] == 4
    assert (reader.payloads[0].start, reader.payloads[0].end) == (0, 14)
    assert reader.emissions.index(gap) < reader.emissions.index(reader.payloads[0])


def test_history_without_its_beginning_is_a_gap_at_the_start(service: Service) -> None:
    service.add(20)
    service.forget(15)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
    assert reader.notices("gap")[0].data["lost"] == 15
    assert reader.payloads[0].start == 15


def test_service_that_adds_a_member_to_its_pings_has_not_started_again(service: Service) -> None:
    service.add(10)
    with reading(service.url, verify_polls=1) as reader:
        reader.until(lambda: len(reader.elements) == 10)
        with service.lock:
            service.pings = {s: text.replace("}", ', "speed_kmh":  3}') for s, text in service.pings.items()}
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 6)
        reader.poll()
    assert reader.notices() == []


def test_sequence_far_too_high_is_left_behind_when_it_is_gone(service: Service) -> None:
    service.add(5)
    service.pings[2**60] = f'{{"vin": "A", "time": 1.0, "sequence": {2**60}}}'
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 6)
        assert reader.notices("gap")
        del service.pings[2**60]
        service.add(5)
        reader.until(lambda: expected(0, range(10)) <= vins_and_times(reader.elements))
    assert reader.payloads[-1].resource == f"{service.url}~2"


def test_records_without_sequences_do_not_hide_a_restart(service: Service) -> None:
    for _ in range(3):
        service.put('{"vin": "A"}')
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 3)
        service.restart(2)
        reader.until(lambda: expected(1, range(2)) <= vins_and_times(reader.elements[3:]))
    assert reader.notices("restart")
