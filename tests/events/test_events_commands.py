"""`fleetflow events list` and `watch`."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from events_kit import event, loaded, until

from fleetflow.events.commands import events_group
from fleetflow.events.store import EventsStore


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
