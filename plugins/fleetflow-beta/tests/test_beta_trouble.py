"""Reading a service that fails: nothing is missed, each outage is told once, nothing loops."""

import gzip
import json
import logging
import socket
import time
import zlib
from collections.abc import Callable

import pytest
from beta_service import Fault, Handler, Service, content, hang_up, reading, status, wait_for
from fleetflow_beta.fetcher import WARN_EVERY_S


def cut(handler: Handler, since: int, limit: int) -> None:
    body = handler.service.body(since, limit)
    head = f"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    handler.raw(head.encode() + body[: len(body) // 2])
    hang_up(handler, since, limit)


def cut_chunks(handler: Handler, since: int, limit: int) -> None:
    head = "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    handler.raw(head.encode() + b"5\r\n[    \r\n")
    hang_up(handler, since, limit)


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(b" " * 1_000_000) for _ in range(200)]) + packer.flush()


FAULTS: list[tuple[str, Fault, str, str]] = [
    ("500", status(500), "status", "500 Internal Server Error"),
    ("404", status(404), "status", "404 Not Found"),
    ("401", status(401), "status", "401"),
    ("204", status(204), "status", "204"),
    ("206", status(206), "status", "206"),
    ("799", status(799), "status", "799"),
    ("hang_up", hang_up, "connect", "no connection"),
    ("garbage", lambda h, s, m: h.raw(b"\x00garbage\r\n\r\n"), "connect", "no connection"),
    ("cut", cut, "cut", "ended in the body"),
    ("cut_chunks", cut_chunks, "cut", "ended in the body"),
    ("html", content(b"<html>", "text/html"), "content_type", "text/html"),
    ("no_type", content(b"[]", None), "content_type", "no content type"),
    ("not_json", content(b"<html>"), "body", "not JSON"),
    ("object", content(b'{"error": "overloaded"}'), "body", "found an object"),
    ("number", content(b"3"), "body", "found a int"),
    ("half", content(b'[{"sequence": 0}'), "body", "not JSON"),
    ("huge", content(b"[" + b" " * 40_000 + b"]"), "too_large", "more than 20000 bytes"),
    ("bomb", content(bomb(), Content_Encoding="gzip"), "too_large", "more than 20000 bytes"),
    ("bad_gzip", content(b"[]", Content_Encoding="gzip"), "cut", "compressed body is damaged"),
    ("redirect", status(302, Location="http://evil.invalid/pings"), "redirect", "http://evil.invalid/pings"),
    ("no_location", status(302), "redirect", "redirects"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_failure_is_told_once_and_costs_no_ping(
    service: Service, fault: Fault, kind: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.add(25)
    service.faults += [fault, fault, fault]
    with reading(service.url, limit=10, max_page_bytes=20_000) as reader:
        reader.until(lambda: len(reader.sequences) == 25)
        service.always = fault
        reader.until(lambda: len(reader.notices("error")) == 2)
        service.add(5)
        service.always = None
        reader.until(lambda: len(reader.sequences) == 30)
        reader.until(lambda: len(reader.notices("recovered")) == 2)
    assert reader.sequences == list(range(30))
    assert [notice.kind for notice in reader.notices()] == ["error", "recovered"] * 2
    error = reader.notices("error")[0]
    assert error.data["error"] == kind
    assert words in error.message
    assert service.url in error.message
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING and r.name == "fleetflow_beta"]
    assert len(warnings) == 2


def test_gzip_is_understood(service: Service) -> None:
    service.add(3)
    service.faults.append(content(gzip.compress(service.body(-1, 10)), Content_Encoding="gzip"))
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.sequences) == 3)
    assert reader.notices() == []
    assert service.headers[0]["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"]
)
def test_content_types_of_json_are_accepted(service: Service, media_type: str) -> None:
    service.add(2)
    service.faults.append(content(service.body(-1, 10), media_type))
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.sequences) == 2)
    assert reader.notices() == []


def test_chunked_answer_is_understood(service: Service) -> None:
    service.add(3)
    body = service.body(-1, 10)
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[i : i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    service.faults.append(lambda handler, since, limit: handler.raw(head + chunks))
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.sequences) == 3)
    assert reader.notices() == []


def silent(handler: Handler, since: int, limit: int) -> None:
    handler.connection.settimeout(30)
    handler.connection.recv(1)


def trickling(handler: Handler, since: int, limit: int) -> None:
    handler.connection.settimeout(0.02)
    handler.raw(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n[")
    _drip(handler)


def trickling_head(handler: Handler, since: int, limit: int) -> None:
    handler.connection.settimeout(0.02)
    handler.raw(b"HTTP/1.1 200 X\r\nX-Long: ")
    _drip(handler)


def _drip(handler: Handler) -> None:
    while True:
        try:
            handler.connection.sendall(b" ")
            if not handler.connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


@pytest.mark.parametrize(
    ("fault", "changes", "words"),
    [
        (silent, {"timeout_s": 0.1}, "no byte within 0.1 s"),
        (trickling, {"page_timeout_s": 0.2}, "took more than 0.2 s"),
        (trickling_head, {"page_timeout_s": 0.2}, "took more than 0.2 s"),
    ],
)
def test_slow_answer_is_given_up(
    service: Service, fault: Fault, changes: dict[str, float], words: str
) -> None:
    service.add(3)
    service.faults.append(fault)
    with reading(service.url, **changes) as reader:
        reader.until(lambda: len(reader.sequences) == 3)
    assert [notice.kind for notice in reader.notices()] == ["error", "recovered"]
    assert words in reader.notices("error")[0].message
    assert reader.notices("error")[0].data["error"] == "timeout"


@pytest.mark.parametrize("fault", [silent, trickling, trickling_head, status(500)])
def test_close_ends_a_slow_request_or_a_back_off_within_a_second(service: Service, fault: Fault) -> None:
    service.always = fault
    with reading(service.url, backoff_min_s=60, backoff_max_s=60, timeout_s=60) as reader:
        wait_for(lambda: service.requests)
        reader.poll()
        started = time.monotonic()
    assert time.monotonic() - started < 0.9
    assert reader.payloads == []


def test_service_that_is_not_there_is_waited_for() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}/pings"
    with reading(url) as reader:
        reader.until(lambda: reader.notices("error"))
        assert "Connection refused" in reader.notices("error")[0].message
        service = Service(port=port)
        try:
            service.add(4)
            reader.until(lambda: len(reader.sequences) == 4)
            reader.until(lambda: reader.notices("recovered"))
        finally:
            service.stop()
    assert len(reader.notices("error")) == 1


def test_unknown_host_is_told_in_words() -> None:
    with reading("http://nowhere.invalid/pings") as reader:
        reader.until(lambda: reader.notices("error"))
    assert "its name cannot be resolved" in reader.notices("error")[0].message


def test_retry_after_is_respected_up_to_the_longest_back_off(service: Service) -> None:
    service.always = status(503, Retry_After="3000")
    with reading(service.url, backoff_max_s=1000) as reader:
        reader.until(lambda: reader.notices("error"))
        assert 900 < reader.partition.next_poll_s() <= 1000


def test_back_off_grows_and_has_an_end(service: Service) -> None:
    service.always = status(500)
    with reading(service.url, backoff_min_s=0.01, backoff_max_s=0.04) as reader:
        pauses: list[float] = []
        fetcher = reader.partition._fetchers[0]
        fetcher.ahead.sleeps = pauses.append  # type: ignore[method-assign]
        wait_for(lambda: len(pauses) > 6)
    assert all(0.02 <= pause <= 0.04 for pause in pauses[4:])
    assert max(pauses[:1]) <= 0.04


def test_long_outage_is_logged_once_a_minute(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.always = status(500)
    with reading(service.url) as reader:
        wait_for(lambda: len(service.requests) > 10)
        lines = [r for r in caplog.records if "trying again" in r.getMessage()]
        assert len(lines) == 1
        reader.partition._fetchers[0]._warned_at -= WARN_EVERY_S
        seen = len(service.requests)
        wait_for(lambda: len(service.requests) > seen + 10)
        lines = [r for r in caplog.records if "trying again" in r.getMessage()]
        assert len(lines) == 2
        reader.poll()
    assert len(reader.notices("error")) == 1


def test_bug_in_the_thread_reaches_the_dataflow(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(body: bytes) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("fleetflow_beta.page.read", broken)
    with reading(service.url) as reader, pytest.raises(ZeroDivisionError, match="a bug"):
        reader.until(lambda: False)


# pages that are readable, with elements that are not pings


@pytest.mark.parametrize(
    "element",
    [
        '{"vin": "A"}',
        '{"sequence": "5", "vin": "A"}',
        '{"sequence": null}',
        '{"sequence": 5.5}',
        '{"sequence": -3}',
        '{"sequence": 99999999999999999999999}',
        '"a text"',
        "17",
        "[]",
        '{"sequence": NaN}',
    ],
)
def test_element_without_a_sequence_does_not_stop_the_others(service: Service, element: str) -> None:
    service.add(5)
    service.put(element)
    service.add(5)
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
        reader.until(reader.partition.caught_up)
    assert len(reader.elements) == 11
    assert (reader.payloads[0].start, reader.payloads[-1].end) == (0, 11)
    assert reader.notices() == []


@pytest.mark.parametrize("latitude", ["NaN", '"north"', "1e999", "null"])
def test_element_of_a_wrong_type_is_handed_on_with_the_others(service: Service, latitude: str) -> None:
    service.add(2)
    service.put(f'{{"vin": "A", "sequence": 2, "latitude": {latitude}}}')
    service.add(2)
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 5)
    assert reader.sequences == [0, 1, 2, 3, 4]
    assert reader.notices() == []


def test_records_without_any_sequence_are_handed_on_once_and_passed(service: Service) -> None:
    service.add(5)
    for name in "abc":
        service.put(f'{{"vin": "{name}"}}')
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 8)
        requests = len(service.requests)
        wait_for(lambda: len(service.requests) > requests + 10)
        reader.poll()
        assert [element["vin"] for element in reader.elements[5:]] == ["a", "b", "c"]
        service.add(2)
        reader.until(lambda: len(reader.elements) == 10)
    assert [(p.start, p.end) for p in reader.payloads] == [(0, 5), (5, 8), (8, 10)]
    passed = [n for n in reader.notices("error") if n.data["error"] == "unplaced"]
    assert len(passed) == 1
    assert passed[0].data["records"] == 3


def test_answer_of_a_moment_without_sequences_is_not_handed_on(service: Service) -> None:
    service.add(5)
    service.faults += [content(b'[{"error": "overloaded"}]')] * 2
    with reading(service.url) as reader:
        reader.until(lambda: len(reader.elements) == 5)
        reader.until(lambda: reader.notices("recovered"))
    assert reader.sequences == [0, 1, 2, 3, 4]


def test_service_that_ignores_since_is_not_asked_in_a_loop(service: Service) -> None:
    service.add(10)
    service.always = lambda handler, since, limit: handler.answer(service.body(-1, 10))
    with reading(service.url, limit=10, backoff_min_s=3600, backoff_max_s=3600) as reader:
        reader.until(lambda: reader.notices("error"))
    assert reader.sequences == list(range(10))
    assert "asked for those above 9" in reader.notices("error")[0].message
    assert len(service.requests) == 2


def test_service_that_ignores_since_and_limit_loses_no_ping(service: Service) -> None:
    service.add(10)
    service.always = lambda handler, since, limit: handler.answer(service.body(-1, 10_000))
    with reading(service.url, limit=1000) as reader:
        reader.until(lambda: len(reader.sequences) == 10)
        reader.until(lambda: reader.notices("error"))
        service.add(1)
        reader.until(lambda: 10 in reader.sequences)
    assert [(p.start, p.end) for p in reader.payloads] == [(0, 10), (10, 11)]
    assert not reader.notices("restart")


def test_sequences_out_of_order_are_read(service: Service) -> None:
    service.add(6)
    elements = json.loads(service.body(-1, 10))
    service.faults.append(content(json.dumps(elements[::-1] + elements[:2]).encode()))
    with reading(service.url) as reader:
        reader.until(lambda: reader.payloads)
        service.add(2)
        reader.until(lambda: 7 in reader.sequences)
    assert [(p.start, p.end) for p in reader.payloads] == [(0, 6), (6, 8)]
    assert reader.notices() == []


def spoiling(*bad: int, body: Callable[[bytes], bytes]) -> Fault:
    """Answer as ever, but spoil each page that holds one of the pings `bad`."""

    def answer(handler: Handler, since: int, limit: int) -> None:
        page = handler.service.body(since, limit)
        spoilt = any(f'"sequence": {number},' in page.decode() for number in bad)
        handler.answer(body(page) if spoilt else page)

    return answer


@pytest.mark.parametrize("bad", [(0,), (37,), (36, 37), (99,)])
@pytest.mark.parametrize(
    "body", [lambda page: page[:-1] + b"}", lambda page: page + b" " * 100_000], ids=["not_json", "too_large"]
)
def test_ping_that_spoils_its_page_is_handed_on_as_it_is_and_passed(
    service: Service, bad: tuple[int, ...], body: Callable[[bytes], bytes]
) -> None:
    service.add(101)
    service.always = spoiling(*bad, body=body)
    with reading(service.url, limit=64, max_page_bytes=50_000, backoff_max_s=0.02) as reader:
        reader.until(lambda: reader.payloads and reader.payloads[-1].end == 101)
        service.add(9)
        reader.until(lambda: reader.payloads[-1].end == 110)
    good = [element["sequence"] for element in reader.elements if isinstance(element, dict)]
    assert good == [sequence for sequence in range(110) if sequence not in bad]
    assert sum(isinstance(element, str) for element in reader.elements) == len(bad)
    ends = [payload.end for payload in reader.payloads]
    assert [payload.start for payload in reader.payloads] == [0, *ends[:-1]]
    assert sum("reading goes on after" in notice.message for notice in reader.notices("error")) == len(bad)


def test_newest_ping_that_spoils_its_page_is_waited_for(service: Service) -> None:
    service.add(10)
    service.always = spoiling(9, body=lambda page: page + b"!")
    with reading(service.url, limit=4, backoff_max_s=0.02, once=True) as reader:
        reader.until(reader.partition.caught_up)
    assert reader.sequences == list(range(9))
    assert reader.notices("error")
