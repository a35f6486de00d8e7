"""The notifiers of this machine: the log and a file."""

import json
import logging

from events_kit import event

from fleetflow.events.notifiers import FileNotifier, LogNotifier


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
