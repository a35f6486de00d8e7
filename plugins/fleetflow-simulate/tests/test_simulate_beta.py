"""The web service of beta pings."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from fleetflow_simulate import beta
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


def test_sigterm_ends_the_command_cleanly():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "from fleetflow_simulate.commands import simulate; "
        "import logging; logging.basicConfig(level='INFO'); simulate()"
    )
    command = [sys.executable, "-c", code, "beta", "--port", str(port), "--prefill", "5", "--vehicles", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert "serving" in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/pings?since=-1&limit=5", timeout=10) as answer:
            assert len(json.loads(answer.read())) == 5
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
