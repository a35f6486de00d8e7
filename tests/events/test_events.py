"""Events: stored once however often they come, bounded, told in order, readable by everyone."""

import hashlib
import hmac
import json
import logging
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from fleetflow_ping.plugin import fleetflow_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow import config, plugins
from fleetflow.builtin import core
from fleetflow.builtin import events as plugin
from fleetflow.cli.basic import config_show
from fleetflow.contracts.detector import Event
from fleetflow.contracts.sink import ShardBatch
from fleetflow.errors import ConfigurationError, PluginError
from fleetflow.events.commands import events_group
from fleetflow.events.notifiers import FileNotifier, LogNotifier
from fleetflow.events.outbox import Outbox
from fleetflow.events.reader import Events
from fleetflow.events.sink import EventsSink
from fleetflow.events.store import FILE, REMEMBERED, EventsStore
from fleetflow.events.webhook import WebhookError, WebhookNotifier
from fleetflow.testing import empty


def event(number, vin="A", kind="crash", severity="critical", **more):
    fields = {"id": f"e{number}", "vin": vin, "time": float(number), "kind": kind, "severity": severity}
    return Event(**{**fields, "message": f"event {number}", **more})


def loaded(tmp_path, **tables):
    models = {**core.fleetflow_settings(), **plugin.fleetflow_settings()}
    return config.load(models, environment={"FLEETFLOW_HOME": str(tmp_path)}, flags={"events": tables})


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path):
    opened = EventsStore(tmp_path / "data/events")
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path):
    opened = Events(tmp_path / "data/events")
    yield opened
    opened.close()


def numbers(found):
    return [stored.event.id for stored in found]


def test_a_replay_adds_nothing(store, reader):
    assert store.add([event(1), event(2)]) == 2
    twice = event(3)
    assert store.add([event(2), twice, event(3), twice]) == 1
    assert numbers(reader.list()) == ["e3", "e2", "e1"]
    assert reader.count() == 3


def test_an_event_reads_back_as_it_was(store, reader):
    told = event(
        1, data={"city": "Dallas", "km": 1.5}, ping={"codes": ["B0001"], "x": None}, update={"note": None}
    )
    store.add([told])
    (found,) = reader.list()
    assert found.event == told
    assert found.row == 1


def test_a_number_that_json_cannot_hold_becomes_null(store, reader):
    store.add([event(1, ping={"latitude": float("nan")})])
    assert reader.list()[0].event.ping == {"latitude": None}


def test_the_oldest_go_and_do_not_come_back_as_new(tmp_path, reader):
    store = EventsStore(tmp_path / "data/events", keep=3)
    for number in range(10):
        store.add([event(number)])
    assert numbers(reader.list()) == ["e9", "e8", "e7"]
    assert store.add([event(number) for number in range(10)]) == 0
    assert numbers(reader.list()) == ["e9", "e8", "e7"]
    store.close()


def test_ids_of_deleted_events_are_bounded_too(tmp_path):
    store = EventsStore(tmp_path, keep=2)
    for number in range(100):
        store.add([event(number)])
    last_remembered = 100 - REMEMBERED * 2
    assert store.add([event(last_remembered)]) == 0
    assert store.add([event(last_remembered - 1)]) == 1
    store.close()


def test_a_flood_is_numbered_without_gaps_whatever_of_it_was_there(store, reader):
    assert store.add([event(number) for number in range(0, 350, 3)]) == 117
    assert store.add([event(number) for number in range(350)]) == 233
    found = reader.since(0)
    assert [stored.row for stored in found] == list(range(1, 351))
    new = [number for number in range(350) if number % 3]
    assert numbers(found) == [f"e{number}" for number in [*range(0, 350, 3), *new]]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=12), st.integers(4, 9))
def test_any_portions_store_each_id_once_in_the_order_of_first_coming(tmp_path_factory, portions, keep):
    folder = tmp_path_factory.mktemp("events")
    store, first = EventsStore(folder, keep), []
    for portion in portions:
        store.add([event(number) for number in portion])
        first += [number for number in dict.fromkeys(portion) if number not in first]
    store.close()
    reader = Events(folder)
    assert numbers(reader.since(0)) == [f"e{number}" for number in first[-keep:]]
    reader.close()


def test_what_is_listed_can_be_chosen(store, reader):
    store.add([event(1), event(2, vin="B"), event(3, kind="left"), event(4, severity="info")])
    assert numbers(reader.list(vin="B")) == ["e2"]
    assert numbers(reader.list(kind="left")) == ["e3"]
    assert numbers(reader.list(severity="info")) == ["e4"]
    assert numbers(reader.list(since=3)) == ["e4", "e3"]
    assert numbers(reader.list(2)) == ["e4", "e3"]
    assert numbers(reader.since(2)) == ["e3", "e4"]
    assert reader.last_row() == 4


def test_a_store_that_is_not_there_is_empty(reader):
    assert (reader.list(), reader.since(0), reader.count(), reader.last_row()) == ([], [], 0, 0)


def test_the_store_is_its_users_alone(tmp_path, store):
    assert (tmp_path / "data/events" / FILE).stat().st_mode & 0o77 == 0
    assert (tmp_path / "data/events").stat().st_mode & 0o77 == 0


def _add(folder, start):
    store = EventsStore(folder)
    for number in range(start, start + 50):
        store.add([event(number), event(number + 1)])
    store.close()


def test_processes_and_threads_write_side_by_side(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add, args=(tmp_path, start)) for start in (0, 25)]
    threads = [threading.Thread(target=_add, args=(tmp_path, start)) for start in (50, 75)]
    for each in (*processes, *threads):
        each.start()
    for each in (*processes, *threads):
        each.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    reader = Events(tmp_path)
    assert sorted(numbers(reader.list(1000))) == sorted(f"e{number}" for number in range(126))
    reader.close()


class Recorder:
    """A notifier that remembers, and fails as often as it is told to."""

    def __init__(self, name="recorder", failures=0):
        self.name, self.failures, self.attempts, self.told, self.closed = name, failures, 0, [], False

    def notify(self, events):
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise OSError("not now")
        self.told += [each.id for each in events]

    def close(self):
        self.closed = True


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("fleetflow.events.outbox.POLL_S", 0.02)
    monkeypatch.setattr("fleetflow.events.outbox.BACKOFF_S", 0.01)


@contextmanager
def outbox(tmp_path, store, *notifiers):
    opened = Outbox(tmp_path / "data/events", store, notifiers)
    try:
        yield opened
    finally:
        opened.close()


def test_events_are_told_in_order_and_once(tmp_path, store, quick):
    recorder = Recorder()
    with outbox(tmp_path, store, recorder) as box:
        for number in range(250):
            store.add([event(number), event(number - 1)])
            box.wake()
        until(lambda: len(recorder.told) == 251)
    assert recorder.told == ["e0", "e-1", *(f"e{number}" for number in range(1, 250))]
    assert recorder.closed


def test_what_was_told_is_not_told_again_by_the_next_process(tmp_path, store, quick):
    with outbox(tmp_path, store, Recorder()):
        store.add([event(1)])
    store.add([event(2)])
    again = Recorder()
    with outbox(tmp_path, store, again):
        until(lambda: again.told)
    assert again.told == ["e2"]


def test_in_a_flood_it_is_noted_now_and_then_how_far_it_came_and_in_the_end(
    tmp_path, store, quick, monkeypatch
):
    noted = []
    advance = store.advance
    monkeypatch.setattr("fleetflow.events.outbox.NOTED_S", 3600.0)
    monkeypatch.setattr(store, "advance", lambda name, row: (noted.append(row), advance(name, row)))
    recorder = Recorder()
    store.begin([recorder.name])
    store.add([event(number) for number in range(1000)])
    with outbox(tmp_path, store, recorder):
        until(lambda: noted[-1:] == [1000])
    assert noted == [100, 1000]
    assert len(recorder.told) == 1000


def test_what_was_told_before_a_failure_is_not_told_again_by_the_next_process(
    tmp_path, store, quick, monkeypatch
):
    monkeypatch.setattr("fleetflow.events.outbox.NOTED_S", 3600.0)
    monkeypatch.setattr("fleetflow.events.outbox.BACKOFF_S", 60.0)

    class Breaking(Recorder):
        def notify(self, events):
            if len(self.told) == 300:
                self.failures = 1
            super().notify(events)

    first, second = Breaking(), Recorder()
    store.begin([first.name])
    store.add([event(number) for number in range(500)])
    with outbox(tmp_path, store, first):
        until(lambda: first.attempts == 4)
    with outbox(tmp_path, store, second):
        until(lambda: len(second.told) == 200)
    assert first.told + second.told == [f"e{number}" for number in range(500)]


def test_a_notifier_that_is_new_begins_with_what_is_new(tmp_path, store, quick):
    store.add([event(1)])
    recorder = Recorder()
    with outbox(tmp_path, store, recorder):
        store.add([event(2)])
    assert recorder.told == ["e2"]


def test_a_failing_notifier_is_tried_again_and_delays_no_other(tmp_path, store, quick, caplog):
    failing, working = Recorder("failing", failures=5), Recorder("working")
    with outbox(tmp_path, store, failing, working):
        store.add([event(1)])
        until(lambda: working.told)
        store.add([event(2)])
        until(lambda: failing.told == ["e1", "e2"])
    assert failing.attempts >= 6
    assert working.told == ["e1", "e2"]
    assert "notifier failing failed, attempt 5" in caplog.text


def test_a_notifier_that_hangs_keeps_neither_the_flow_nor_the_end_waiting(tmp_path, quick, monkeypatch):
    monkeypatch.setattr("fleetflow.events.outbox.CLOSE_S", 0.1)
    release = threading.Event()

    class Hanging(Recorder):
        def notify(self, events):
            release.wait(60)

    sink = EventsSink(tmp_path, notifiers=lambda: [Hanging("hanging")])
    shard = sink.open("0000", None)
    for number in range(20):
        shard.write(ShardBatch(empty(fleetflow_schema()), events=(event(number),)), {})
    shard.close()
    reader = Events(tmp_path)
    assert reader.count() == 20
    reader.close()
    release.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "notify-hanging"])


def test_two_processes_tell_nothing_twice(tmp_path, store, quick):
    first, second = Recorder(), Recorder()
    with outbox(tmp_path, store, first), another_store(tmp_path) as other, outbox(tmp_path, other, second):
        for number in range(40):
            (store if number % 2 else other).add([event(number)])
        until(lambda: len(first.told) + len(second.told) == 40)
    assert sorted(first.told + second.told) == sorted(f"e{number}" for number in range(40))
    assert not (first.told and second.told)


def _tell(folder, path):
    """Deliver to a file one by one, and hang in the middle of the second delivery."""

    class Hanging(FileNotifier):
        def notify(self, events):
            for each in events:
                if each.id == "e150":
                    threading.Event().wait()
                super().notify([each])

    Outbox(folder, EventsStore(folder), [Hanging(path)])
    threading.Event().wait()


def test_after_a_kill_in_the_middle_each_event_is_told_and_in_order(tmp_path, quick):
    told = tmp_path / "told.jsonl"
    store = EventsStore(tmp_path / "data/events")
    store.begin(["file"])
    store.add([event(number) for number in range(1000)])
    process = multiprocessing.get_context("spawn").Process(
        target=_tell, args=(tmp_path / "data/events", told)
    )
    process.start()
    try:
        until(lambda: told.exists() and told.read_bytes().count(b"\n") == 150)
    finally:
        process.kill()
        process.join(20)
        process.close()
    with outbox(tmp_path, store, FileNotifier(told)):
        until(lambda: b'"e999"' in told.read_bytes())
    store.close()
    ids = [json.loads(line)["id"] for line in told.read_text().splitlines()]
    assert ids == [f"e{number}" for number in [*range(150), *range(100, 1000)]]


def test_when_the_process_that_tells_ends_another_one_goes_on(tmp_path, store, quick):
    first, second = Recorder(), Recorder()
    with outbox(tmp_path, store, first):
        store.add([event(1)])
        until(lambda: first.told)
        box = Outbox(tmp_path / "data/events", store, [second])
    store.add([event(2)])
    until(lambda: second.told == ["e2"])
    box.close()
    assert first.told == ["e1"]


@contextmanager
def another_store(tmp_path):
    """A second connection, as another process has one."""
    opened = EventsStore(tmp_path / "data/events")
    yield opened
    opened.close()


def test_events_deleted_before_they_were_told_are_mentioned(tmp_path, quick, caplog):
    store = EventsStore(tmp_path / "data/events", keep=2)
    store.begin(["recorder"])
    store.add([event(number) for number in range(5)])
    recorder = Recorder()
    with outbox(tmp_path, store, recorder):
        until(lambda: recorder.told)
    store.close()
    assert recorder.told == ["e3", "e4"]
    assert "3 events were deleted before they could be delivered" in caplog.text


def test_a_notifier_whose_name_cannot_be_a_file_is_refused(tmp_path, store):
    with pytest.raises(PluginError, match="cannot be used"):
        Outbox(tmp_path, store, [Recorder("../up")])


def test_a_replayed_batch_is_told_once_and_all_shards_share_one_store(tmp_path, quick):
    recorder = Recorder()
    sink = EventsSink(tmp_path, notifiers=lambda: [recorder])
    shards = [sink.open(name, None) for name in ("0000", "0001")]
    batch = ShardBatch(empty(fleetflow_schema()), events=(event(1),))
    for shard in (*shards, *shards):
        assert shard.write(batch, {}) == {}
        assert shard.snapshot() is None
    for shard in (*shards, *shards):
        shard.close()
    assert recorder.told == ["e1"]


def test_notifiers_of_all_plugins_are_asked_for_and_two_of_one_name_are_refused(tmp_path):
    class Given:
        @plugins.hookimpl
        def fleetflow_notifiers(self, configuration):
            return [Recorder("log")]

    def gathered(*given):
        active = plugins.only_these(given)
        found = active.gather("fleetflow_notifiers", "notifier", lambda each: each.name, settings_)
        return [each.name for each in found]

    settings_ = loaded(tmp_path, file="events.jsonl", webhook_url="http://localhost:1/x")
    assert gathered(("events", plugin)) == ["log", "file", "webhook"]
    with pytest.raises(PluginError, match='notifier "log" is claimed'):
        gathered(("events", plugin), ("given", Given()))
    (sink,) = plugin.fleetflow_sinks(loaded(tmp_path, log="false"))
    sink.open("0000", None).close()
    assert Events.of(settings_).count() == 0


def test_the_log_has_one_line_per_event_louder_when_it_is_serious(caplog):
    caplog.set_level(logging.INFO)
    LogNotifier().notify([event(1), event(2, severity="info", message="two\nlines\x1b[31m")])
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "event 1"),
        ("INFO", "two\\nlines\\x1b[31m"),
    ]


def test_the_file_gets_json_lines_and_ends_a_torn_one(tmp_path):
    path = tmp_path / "out/events.jsonl"
    notifier = FileNotifier(path)
    notifier.notify([event(1), event(2)])
    with path.open("a") as file:
        file.write('{"torn')
    notifier.notify([event(3)])
    lines = path.read_text().splitlines()
    assert [json.loads(line)["id"] for line in (*lines[:2], lines[3])] == ["e1", "e2", "e3"]
    assert path.stat().st_mode & 0o77 == 0


class Service:
    """A web service on loopback that remembers what was posted, and answers as it is told to."""

    def __init__(self):
        self.requests, self.answers = [], []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = service.answers.pop(0) if service.answers else 204
                service.requests.append((self.path, dict(self.headers), body, status))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    opened = Service()
    yield opened
    opened.close()


def test_the_webhook_posts_signed_events(service):
    notifier = WebhookNotifier(f"http://user:pass@{service.host}/in?key=1", "sesame", clock=lambda: 1000.9)
    notifier.notify([event(1), event(2)])
    notifier.close()
    ((path, headers, body, _),) = service.requests
    assert path == "/in?key=1"
    assert [each["id"] for each in json.loads(body)["events"]] == ["e1", "e2"]
    assert headers["Fleetflow-Timestamp"] == "1000"
    expected = hmac.new(b"sesame", b"1000." + body, hashlib.sha256).hexdigest()
    assert headers["Fleetflow-Signature"] == f"v1={expected}"
    assert headers["Authorization"] == "Basic dXNlcjpwYXNz"
    assert headers["Content-Type"] == "application/json"


def test_the_receivers_check_on_the_how_to_page_works(service):
    page = (Path(__file__).parents[2] / "docs/how-to/events.md").read_text("utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    WebhookNotifier(f"http://{service.host}", "sesame").notify([event(1)])
    ((_, headers, body, _),) = service.requests
    timestamp, signature = headers["Fleetflow-Timestamp"], headers["Fleetflow-Signature"]
    assert names["genuine"]("sesame", timestamp, body, signature)
    assert not names["genuine"]("sesame", timestamp, body + b" ", signature)
    assert not names["genuine"]("other", timestamp, body, signature)
    assert not names["genuine"]("sesame", str(int(timestamp) - 1), body, signature)


def test_the_example_of_the_reference_page_works(tmp_path, store, capsys):
    page = (Path(__file__).parents[2] / "docs/reference/events.md").read_text("utf-8")
    store.add([event(1), event(2, kind="left")])
    names = {"configuration": loaded(tmp_path)}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], names)
    assert capsys.readouterr().out == "1 event 1\n"
    assert numbers(names["newer"]) == ["e2"]
    names["events"].close()


def test_without_a_secret_nothing_is_signed(service):
    WebhookNotifier(f"http://{service.host}").notify([event(1)])
    assert "Fleetflow-Signature" not in service.requests[0][1]


@pytest.mark.parametrize("status", [302, 400, 503])
def test_any_answer_but_success_is_a_failure_and_redirects_are_not_followed(service, status):
    service.answers = [status]
    with pytest.raises(WebhookError, match=f"status {status}"):
        WebhookNotifier(f"http://{service.host}/in").notify([event(1)])
    assert len(service.requests) == 1


def test_a_service_that_is_not_there_is_told_without_its_secret(service):
    service.server.server_close()
    with pytest.raises(WebhookError, match=r"^no connection: Connection refused$") as told:
        WebhookNotifier(f"http://{service.host}/secret").notify([event(1)])
    assert told.value.__cause__ is None


def test_the_webhook_gets_each_event_after_the_service_is_back(tmp_path, store, quick, service):
    service.answers = [503, 500]
    with outbox(tmp_path, store, WebhookNotifier(f"http://{service.host}/in")):
        store.add([event(1)])
        until(lambda: len(service.requests) == 3)
    assert [status for *_, status in service.requests] == [503, 500, 204]
    assert len({body for _, _, body, _ in service.requests}) == 1


def test_a_certificate_that_is_not_to_be_trusted_is_refused(service, tmp_path):
    import ssl

    trustme = pytest.importorskip("trustme", reason="trustme makes the certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
    with pytest.raises(WebhookError, match="certificate is not to be trusted"):
        WebhookNotifier(f"https://{service.host}/in").notify([event(1)])
    assert service.requests == []


SECRET = "https://user:password@host.example:8443/T000/B000/token?key=1"


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_config_show_hides_secrets(tmp_path, arguments):
    configuration = loaded(tmp_path, webhook_url=SECRET, webhook_secret="sesame")
    shown = CliRunner().invoke(config_show, arguments, obj=configuration, catch_exceptions=False).output
    assert "https://host.example:8443/***" in shown
    for secret in ("password", "T000", "token", "key=1", "sesame"):
        assert secret not in shown.replace("webhook_secret", "").replace("WEBHOOK_SECRET", "")


@pytest.mark.parametrize(
    "url",
    ["ftp://host/token", "host/token", "https:///token", "https://user:to/ken@host", "http://h/a token"],
)
def test_a_webhook_that_cannot_be_used_is_refused_without_being_shown(tmp_path, url):
    with pytest.raises(ConfigurationError, match=r"webhook_url = \*\*\*: it") as told:
        loaded(tmp_path, webhook_url=url)
    assert "ken" not in str(told.value)


def test_a_secret_that_is_no_text_is_refused_without_being_shown(tmp_path):
    with pytest.raises(ConfigurationError, match="must be texts") as told:
        loaded(tmp_path, webhook_secret=12345)
    assert "12345" not in str(told.value)


def command(tmp_path, *arguments, code=0):
    result = CliRunner().invoke(events_group, arguments, obj=loaded(tmp_path), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_list_shows_and_chooses(tmp_path, store):
    store.add([event(1), event(2, vin="B\x1b[31m"), event(86_400 * 365, kind="left", severity="info")])
    rows = [json.loads(line) for line in command(tmp_path, "list", "--json").splitlines()]
    assert [row["id"] for row in rows] == [f"e{86_400 * 365}", "e2", "e1"]
    assert rows[2] | {"stored_at": 0} == {
        **{"row": 1, "stored_at": 0, "id": "e1", "vin": "A", "time": 1.0, "kind": "crash"},
        **{"severity": "critical", "message": "event 1", "data": {}, "ping": {}, "update": {}, "only_if": {}},
    }
    for since in ("1971-01-01", "31536000", "1971-01-01T01:00:00+01:00"):
        assert len(command(tmp_path, "list", "--json", "--since", since).splitlines()) == 1
    assert len(command(tmp_path, "list", "--json", "--limit", "1").splitlines()) == 1
    assert "\x1b" not in command(tmp_path, "list")
    assert "1970-01-01T00:00:02Z" in command(tmp_path, "list", "--kind", "crash")
    assert "neither seconds" in command(tmp_path, "list", "--since", "noon", code=2)


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_watch_prints_what_comes_until_it_is_interrupted(tmp_path, arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")}
    store = EventsStore(tmp_path / "data/events")
    store.add([event(1)])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fleetflow", "events", "watch", *arguments],
        env={**environment, "FLEETFLOW_HOME": str(tmp_path), "FLEETFLOW_PLUGINS_DISABLED": ""},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = []
    listener = threading.Thread(target=lambda: lines.extend(process.stdout))
    listener.start()
    try:
        sent = 1
        # it may not watch yet: what it prints first is whatever came first after it began
        while not lines and sent < 1000:
            sent += 1
            store.add([event(sent)])
            process.poll()
            listener.join(0.05)
        first = len(lines)
        assert first
        store.add([event(sent + 1)])
        until(lambda: f"event {sent + 1}" in lines[-1])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        listener.join()
        process.stdout.close()
        store.close()
    assert "event 1\n" not in "".join(lines).replace('"', "\n")


def test_conditions_are_kept_also_in_a_store_of_before_there_were_any(tmp_path):
    store = EventsStore(tmp_path)
    store.add([event(1, update={"status": "X"})])
    store.close()
    connection = sqlite3.connect(tmp_path / FILE)
    # what an older version made
    connection.execute("alter table events drop column only_if")
    connection.close()
    reader = Events(tmp_path)
    assert [stored.event.only_if for stored in reader.list()] == [{}]
    reader.close()
    store = EventsStore(tmp_path)
    conditional = event(2, update={"status": None}, only_if={"status": ["X", None], "note": []})
    store.add([conditional])
    store.close()
    assert [stored.event for stored in reader.list()] == [conditional, event(1, update={"status": "X"})]
    reader.close()
