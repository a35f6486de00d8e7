"""Reading a service that behaves: pages, positions, back-pressure, what is told of progress."""

import itertools
import json
import logging
import pickle
import time
from pathlib import Path
from threading import enumerate as threads

import pytest
from beta_service import Service, content, reading, status, wait_for
from prometheus_client import REGISTRY


def test_every_ping_is_emitted_in_contiguous_ranges(service: Service) -> None:
    service.add(25)
    with reading(service.url, limit=10) as reader:
        reader.until(lambda: len(reader.sequences) == 25)
        service.add(3)
        reader.until(lambda: len(reader.sequences) == 28)
    assert reader.sequences == list(range(28))
    assert [(p.start, p.end) for p in reader.payloads] == [(0, 10), (10, 20), (20, 25), (25, 28)]
    first = reader.payloads[0]
    assert (first.source, first.partition, first.resource) == ("beta", "beta-0", service.url)
    assert first.media_type == "application/json"
    assert first.data == service.body(-1, 10)
    assert abs(first.received_at - time.time()) < 60
    assert reader.notices() == []


def test_digest_can_be_derived_again_from_the_last_ping_of_the_range(service: Service) -> None:
    service.add(5)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
    with reading(service.url, limit=1) as again:
        again.until(lambda: len(again.payloads) == 5)
    assert reader.payloads[0].digest == again.payloads[-1].digest != 0


def test_page_is_logged_at_debug_in_the_agreed_words(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fleetflow_beta")
    service.add(3)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
        service.add(600)
        reader.until(lambda: len(reader.sequences) == 603)
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 2)
    lines = [r for r in caplog.records if r.name == "fleetflow_beta" and r.levelno == logging.DEBUG]
    assert [r.getMessage() for r in lines] == [
        "Added 3 pings. Highest sequence number is: 2",
        "Added 600 pings. Highest sequence number is: 602",
    ]


def test_a_cookie_is_told_to_the_service_that_set_it_and_the_urls_own_query_stays(service: Service) -> None:
    service.add(20)
    service.faults.append(
        lambda handler, since, limit: handler.answer(
            service.body(since, limit), Set_Cookie="node=b; Path=/", X_Next="1"
        )
    )
    with reading(f"{service.url}?fleet=north", limit=10) as reader:
        reader.until(lambda: len(reader.sequences) == 20)
    assert service.paths[:2] == [
        "/pings?fleet=north&since=-1&limit=10",
        "/pings?fleet=north&since=9&limit=10",
    ]
    assert [headers.get("Cookie") for headers in service.headers[:2]] == [None, "node=b"]


def test_full_pages_follow_at_once_and_others_after_a_pause(service: Service) -> None:
    service.add(30)
    with reading(service.url, limit=10, poll_s=3600) as reader:
        reader.until(lambda: len(reader.sequences) == 30)
        reader.until(reader.partition.caught_up)
        assert reader.partition.next_poll_s() > 3000
    assert [request for request in service.requests if request[1] == 10] == [
        (-1, 10),
        (9, 10),
        (19, 10),
        (29, 10),
    ]


def test_service_with_a_limit_below_ours_is_read_at_once_too(service: Service) -> None:
    service.add(450)
    service.always = lambda handler, since, limit: handler.answer(service.body(since, min(limit, 100)))
    with reading(service.url, limit=1000, poll_s=3600) as reader:
        reader.until(lambda: len(reader.sequences) == 450)


def test_position_is_of_what_was_emitted(service: Service) -> None:
    service.add(40)
    with reading(service.url, limit=10, pages_ahead=2) as reader:
        wait_for(lambda: len(service.requests) >= 2)
        assert reader.partition.position() == {"v": 1, "urls": {}}
        reader.until(lambda: reader.payloads)
        assert reader.entry(service.url)["since"] == reader.payloads[-1].end - 1


def test_reader_resumes_where_its_position_was(service: Service) -> None:
    service.add(20)
    with reading(service.url, limit=10) as reader:
        reader.until(lambda: len(reader.sequences) == 20)
        stored = pickle.dumps(reader.partition.position())
    service.add(5)
    with reading(service.url, limit=10, position=pickle.loads(stored)) as resumed:
        resumed.until(lambda: len(resumed.sequences) == 5)
    assert resumed.sequences == [20, 21, 22, 23, 24]
    assert [(p.start, p.end) for p in resumed.payloads] == [(20, 25)]
    assert resumed.notices() == []


def test_position_holds_plain_data_only(service: Service) -> None:
    service.add(3)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
        position = reader.partition.position()
    assert b"fleetflow" not in pickle.dumps(position)
    entry = position["urls"][service.url]
    assert entry["generation"] == 1
    assert entry["since"] == entry["mark"][0] == entry["anchor"][0] == 2


def test_only_a_few_pages_are_fetched_ahead(service: Service) -> None:
    service.add(100)
    with reading(service.url, limit=5, pages_ahead=3) as reader:
        # three in the queue, one in the hand of the thread that waits
        wait_for(lambda: sum(limit == 5 for _, limit in service.requests) == 4)
        reader.until(lambda: len(reader.sequences) >= 5)
        reader.until(lambda: len(reader.sequences) == 100)
    assert reader.sequences == list(range(100))


def test_poll_returns_about_as_many_bytes_as_asked_for(service: Service) -> None:
    service.add(40)
    with reading(service.url, limit=10) as reader:
        wait_for(lambda: sum(limit == 10 for _, limit in service.requests) >= 4)
        wait_for(lambda: reader.partition.next_poll_s() == 0)
        while not reader.payloads:
            reader.poll(max_bytes=1)
        assert len(reader.payloads) == 1


def test_several_services_are_read_side_by_side(service: Service) -> None:
    other = Service()
    try:
        service.add(30)
        other.add(20)
        other.always = status(503)
        with reading(service.url, other.url, limit=10) as reader:
            reader.until(lambda: len(reader.sequences) == 30)
            reader.until(lambda: reader.notices("error"))
            assert not reader.partition.caught_up()
            other.always = None
            reader.until(lambda: len(reader.sequences) == 50)
            reader.until(reader.partition.caught_up)
            assert {url: entry["since"] for url, entry in reader.partition.position()["urls"].items()} == {
                service.url: 29,
                other.url: 19,
            }
    finally:
        other.stop()


def test_caught_up_means_that_all_is_emitted(service: Service) -> None:
    service.add(25)
    with reading(service.url, limit=10) as reader:
        assert not reader.partition.caught_up()
        reader.until(reader.partition.caught_up)
        assert len(reader.sequences) == 25


def test_empty_service_is_caught_up(service: Service) -> None:
    with reading(service.url) as reader:
        reader.until(reader.partition.caught_up)
    assert reader.payloads == []
    assert reader.notices() == []


def test_progress_is_told_when_it_changes(service: Service) -> None:
    service.add(25)
    with reading(service.url, limit=10) as reader:
        reader.until(
            lambda: reader.notices("progress") and reader.notices("progress")[-1].data["sequence"] == 24
        )
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 3)
        told = len(reader.notices("progress"))
        reader.poll()
        assert len(reader.notices("progress")) == told
    last = reader.notices("progress")[-1]
    assert last.data["behind"] == 0
    assert last.data["unit"] == "pings"
    assert last.data["at_least"] is False
    assert last.data["sequences"] == {service.url: 24}
    times = [notice.time for notice in reader.notices("progress")]
    assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(times))


def test_connection_is_kept_between_pages(service: Service) -> None:
    service.add(50)
    with reading(service.url, limit=5) as reader:
        reader.until(lambda: len(reader.sequences) == 50)
        assert len(service._connections) == 1


def test_connection_closed_between_pages_is_no_failure(service: Service) -> None:
    service.add(5)
    with reading(service.url, verify_polls=1000) as reader:
        reader.until(lambda: len(reader.sequences) == 5)
        for _ in range(5):
            service.hang_up()
            requests = len(service.requests)
            wait_for(lambda: len(service.requests) > requests + 2)  # noqa: B023
        service.add(5)
        reader.until(lambda: len(reader.sequences) == 10)
    assert reader.notices() == []
    # a new connection is a reason to look whether the service is still the same
    assert sum(limit == 1 for _, limit in service.requests) >= 2


def test_once_waits_for_the_last_page(service: Service) -> None:
    service.add(120)
    with reading(service.url, limit=50, once=True) as reader:
        reader.until(reader.partition.caught_up)
    assert len(reader.sequences) == 120


def test_once_gives_up_on_a_service_that_cannot_be_reached(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.always = status(500)
    with reading(service.url, once=True, once_attempts=3) as reader:
        reader.until(reader.partition.caught_up)
        assert sum("could not be read in 3 attempts" in r.getMessage() for r in caplog.records) == 1
    assert len(service.requests) >= 3
    assert len(reader.notices("error")) == 1


def test_without_once_a_failing_service_is_never_caught_up(service: Service) -> None:
    service.always = status(500)
    with reading(service.url, once_attempts=1) as reader:
        wait_for(lambda: len(service.requests) > 5)
        reader.poll()
        assert not reader.partition.caught_up()


def test_threads_end_when_the_partition_is_closed(service: Service) -> None:
    service.add(100)
    names = {f"fleetflow-beta {service.url}"}
    with reading(service.url, limit=5, pages_ahead=1):
        assert names & {thread.name for thread in threads()}
        wait_for(lambda: len(service.requests) >= 2)
        started = time.monotonic()
    assert time.monotonic() - started < 1
    assert not names & {thread.name for thread in threads()}


def test_pages_pings_and_errors_are_counted(service: Service) -> None:
    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"fleetflow_beta_{name}_total", {"url": service.url, **labels}) or 0

    service.add(25)
    service.faults += [status(500), content(b"{")]
    with reading(service.url, limit=10) as reader:
        reader.until(lambda: len(reader.sequences) == 25)
        assert counted("pages") == 3
        assert counted("pings") == 25
        assert counted("errors", kind="status") == 1
        assert counted("errors", kind="body") == 1
        service.forget(25)
        service.next = 28
        service.add(2)
        reader.until(lambda: len(reader.sequences) == 27)
        assert counted("lost_pings") == 3
        service.restart(2)
        reader.until(lambda: reader.notices("restart"))
        assert counted("restarts") == 1


def test_a_real_answer_is_read(service: Service, tmp_path: Path) -> None:
    sample = [
        {
            "vin": "2G4WY52M0W1425355",
            "latitude": 38.349444444444444,
            "longitude": -81.64,
            "time": 1795491188.5633721,
            "sequence": 15,
            "obd_codes": [],
        },
        {
            "vin": "JF1GPAC65E8248047",
            "latitude": 37.00416666666667,
            "longitude": -86.00861111111111,
            "time": 1795491191.6129272,
            "sequence": 16,
            "obd_codes": ["P0420"],
        },
    ]
    service.faults.append(content(json.dumps(sample, indent=1).encode(), "application/json; charset=utf-8"))
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
    assert reader.elements == sample
    assert (reader.payloads[0].start, reader.payloads[0].end) == (15, 17)
