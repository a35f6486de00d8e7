"""The webhook: signed, tried again, and with secrets that are not shown."""

import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from events_kit import event, loaded, numbers, outbox, until

from fleetflow.cli.basic import config_show
from fleetflow.errors import ConfigurationError
from fleetflow.events.webhook import WebhookError, WebhookNotifier


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
    # first it must no longer wait for connections: they would be taken, and then ended
    service.server.shutdown()
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
