"""The web service of beta pings."""

import http.client
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from fleetflow_simulate import beta, pace
from fleetflow_simulate.commands import simulate
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow.errors import FleetflowError


@pytest.fixture
def service():
    running = beta.BetaService(history=100).start()
    yield running
    running.stop()


def get(service, query):
    with urllib.request.urlopen(f"{service.url}?{query}", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.read())


def test_sequences_start_at_zero_and_rise(service):
    service.append([{"vin": "A"}, {"vin": "B"}, {"vin": "C"}])
    assert get(service, "since=-1&limit=2") == [{"vin": "A", "sequence": 0}, {"vin": "B", "sequence": 1}]
    assert get(service, "since=1") == [{"vin": "C", "sequence": 2}]
    assert get(service, "since=2") == []


def test_history_is_bounded_and_a_restart_begins_anew(service):
    service.append({"vin": "A"} for _ in range(250))
    assert [ping["sequence"] for ping in get(service, "since=-1&limit=10000")] == list(range(150, 250))
    service.restart()
    assert get(service, "since=-1") == []
    service.append([{"vin": "A"}])
    assert get(service, "since=-1")[0]["sequence"] == 0


@given(st.lists(st.integers(0, 60), max_size=8), st.integers(-1, 300), st.integers(1, 150))
@settings(max_examples=30, deadline=None)
def test_pages_are_those_of_a_slow_reference(portions, since, limit):
    service = beta.BetaService(history=100)
    total = 0
    for portion in portions:
        service.append({"vin": "A"} for _ in range(portion))
        total += portion
    kept = range(total)[-100:]
    expected = [sequence for sequence in kept if sequence > since][:limit]
    assert [ping["sequence"] for ping in json.loads(service.page(since, limit))] == expected
    service._server.server_close()


@pytest.mark.parametrize("query", ["since=x", "limit=0", "limit=-1", "since=1.5"])
def test_bad_parameters_are_refused_in_words(service, query):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(service, query)
    assert caught.value.code == 400
    assert json.loads(caught.value.read())["error"]
    caught.value.close()


def test_errors_on_request(service):
    service.append([{"vin": "A"}])
    service.answer_with(beta.server_error)
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(service, "since=-1")
    assert caught.value.code == 500
    caught.value.close()
    service.answer_with(beta.an_object)
    assert get(service, "since=-1") == {"pings": []}
    assert len(get(service, "since=-1")) == 1


def test_a_taken_port_is_named(service):
    port = int(service.url.split(":")[2].split("/")[0])
    with pytest.raises(FleetflowError, match=f"port {port} on 127.0.0.1 cannot be used"):
        beta.BetaService(port=port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_cleanly(number, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "fleetflow",
        "simulate",
        "beta",
        "--port",
        str(port),
        "--prefill",
        "5",
        "--vehicles",
        "2",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert "serving" in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/pings?since=-1&limit=5", timeout=10) as answer:
            assert len(json.loads(answer.read())) == 5
        process.send_signal(number)
        assert process.wait(10) == 0


def test_stop_closes_connections_that_are_kept_open(service):
    service.append([{"vin": "A"}])
    connection = http.client.HTTPConnection(*service.url.split("/")[2].split(":"), timeout=10)
    connection.request("GET", "/pings")
    assert connection.getresponse().read()
    service.stop()
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/pings")
        connection.getresponse()
    connection.close()


def test_a_service_that_never_served_can_be_stopped():
    beta.BetaService().stop()


def test_a_silent_answer_ends_with_the_service(service):
    service.answer_with(beta.silent)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{service.url}?since=-1", timeout=0.2)
    service.stop()
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            # its connection is closed, and it may be about to end
            thread.join(30)
            assert not thread.is_alive()


def test_a_cut_page_is_seen(service):
    service.append([{"vin": "A"}] * 20)
    service.answer_with(beta.cut_page)
    with pytest.raises(http.client.IncompleteRead):
        get(service, "since=-1")


def test_a_redirect_leads_to_where_it_says(service):
    with beta.BetaService() as other:
        other.append([{"vin": "OTHER"}])
        service.answer_with(beta.redirect(other.url))
        assert get(service, "since=-1")[0]["vin"] == "OTHER"
        assert list(other.asked) == ["/pings"]


def test_a_huge_page_is_announced_and_can_be_left(service):
    service.answer_with(beta.huge)
    with urllib.request.urlopen(service.url, timeout=10) as answer:
        assert int(answer.headers["Content-Length"]) > 1 << 30
        assert answer.read(3) == b"[  "


def test_pages_of_other_types_and_no_json(service):
    service.answer_with(beta.wrong_type, beta.no_json)
    with urllib.request.urlopen(service.url, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "text/html"
    with (
        urllib.request.urlopen(service.url, timeout=10) as answer,
        pytest.raises(ValueError, match="Expecting value"),
    ):
        json.loads(answer.read())


def test_raw_elements_are_served_as_they_are(service):
    service.append([{"vin": "A"}])
    service.append_raw([b"null", b'{"vin":"B","sequence":7}'])
    assert get(service, "since=0") == [None, {"vin": "B", "sequence": 7}]
    assert service.highest == 2


def test_errors_and_cuts_by_chance():
    with beta.BetaService(errors=0.5) as service:
        answers = [service.next_answer() for _ in range(200)]
    assert 60 < answers.count(beta.server_error) < 140
    with beta.BetaService(cut=1.0) as service:
        assert service.next_answer() is beta.cut_page


def test_health_and_unknown_paths(service):
    base = service.url.removesuffix("/pings")
    with urllib.request.urlopen(f"{base}/healthz", timeout=10) as answer:
        assert json.loads(answer.read()) == {"status": "ok"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{base}/other", timeout=10)
    assert caught.value.code == 404
    caught.value.close()


@pytest.fixture
def made(monkeypatch):
    """The service of the command, with the pages it would have answered at its end."""
    services = []

    class Kept(beta.BetaService):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            services.append(self)

    monkeypatch.setattr(beta, "BetaService", Kept)
    return services


def serve(made, *arguments):
    command = ["beta", "--port", "0", "--seed", "5", "--start", "2026-01-01", "--speedup", "max", *arguments]
    result = CliRunner().invoke(simulate, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return made[-1].page(-1, 10_000)


def test_same_seed_and_start_give_the_same_page(made):
    first = serve(made, "--pings", "300", "--prefill", "40")
    assert first == serve(made, "--pings", "300", "--prefill", "40")
    pings = json.loads(first)
    assert [ping["sequence"] for ping in pings] == list(range(340))
    assert set(pings[0]) == {"vin", "latitude", "longitude", "time", "sequence", "obd_codes"}
    assert [ping["time"] for ping in pings] == sorted(ping["time"] for ping in pings)


@pytest.mark.parametrize(
    ("option", "seen"),
    [
        ("--repeated", lambda pings: len(pings) == 100),
        ("--malformed", lambda pings: all(ping["latitude"] == "north" for ping in pings)),
        ("--zero", lambda pings: all(ping["latitude"] == ping["longitude"] == 0 for ping in pings)),
        ("--future", lambda pings: min(ping["time"] for ping in pings) >= 1_767_225_600 + 86_400),
        ("--late", lambda pings: min(ping["time"] for ping in pings) < 1_767_225_600),
    ],
)
def test_each_misbehaviour_is_seen_in_pages(made, option, seen):
    assert seen(json.loads(serve(made, "--pings", "50", option, "1")))


def test_restarts_on_request(made, monkeypatch):
    monkeypatch.setattr(pace, "STRETCH_PINGS", 100)
    serve(made, "--pings", "1100", "--vehicles", "30", "--restart-every", "0.000001")
    assert made[-1].highest < 300


def test_trucks_go_on_where_a_state_file_left_them(made, tmp_path):
    arguments = ["beta", "--port", "0", "--vehicles", "2", "--speedup", "max", "--pings", "20"]
    last = {}
    for _ in range(2):
        result = CliRunner().invoke(simulate, [*arguments, "--state", str(tmp_path / "state.json")])
        assert result.exit_code == 0, result.output
        for ping in json.loads(made[-1].page(-1, 100)):
            before = last.get(ping["vin"], ping)
            assert ping["time"] >= before["time"]
            assert abs(ping["latitude"] - before["latitude"]) < 0.05
            last[ping["vin"]] = ping
    assert len(last) == 2


def test_state_and_start_are_refused_together(tmp_path):
    result = CliRunner().invoke(simulate, ["beta", "--state", str(tmp_path / "s"), "--start", "0"])
    assert result.exit_code == 2


def test_progress_is_logged(made, caplog):
    with caplog.at_level(logging.INFO, "fleetflow_simulate"):
        serve(made, "--pings", "10")
    assert "10 pings" in caplog.text


def test_the_readme_example_works(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert "/pings -1 []" in capsys.readouterr().out
