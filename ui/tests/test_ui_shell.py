"""The frame of all pages, and the words."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bokeh.document import Document
from fleetflow_ui import beat, shell, words
from fleetflow_ui.context import Context

from fleetflow.contracts.page import Page


def test_navigation_comes_from_the_pages_and_marks_the_place(context):
    pages = [Page("a", "First", lambda d, c: None), Page("b&c", "<b>", lambda d, c: None)]
    given = Context(context.settings, context.reader, pages, True, context.plugins, context.configuration)
    html = shell.navigation(given, "a")
    assert '<a href="a" aria-current="page">First</a>' in html
    assert '<a href="b%26c">&lt;b&gt;</a>' in html


def test_the_state_is_said_in_words(context):
    now = time.time()
    assert "no vehicles yet" in shell.state_words(context, now)
    context.reader.fleet.take([{"vin": "A", "latitude": 1.0, "longitude": 1.0, "time": now}])
    assert "live</b> 1 vehicle" in shell.state_words(context, now)
    assert "no news for 2 min" in shell.state_words(context, now + 130)
    context.reader.fleet.say("layout 9")
    assert "vehicles cannot be read" in shell.state_words(context, now)


def test_a_switch_of_the_theme_reaches_figures_and_pages(context):
    document = Document()
    frame = shell.dress(document, context, "dashboard", "Map")
    painted = []
    frame.on_theme(painted.append)
    frame.browser.theme = "dark"
    assert painted == ["dark"]
    assert document.theme is shell.THEMES["dark"]
    assert set(shell.COLOURS["dark"]) == set(shell.COLOURS["light"])


def test_the_figures_colours_are_those_of_the_style_sheet():
    css = shell.static("shell.css")
    light, dark = css.split(':root[data-theme="dark"] {')
    for name, colour in shell.COLOURS["light"].items():
        assert f"--{name}: {colour};" in light
    for name, colour in shell.COLOURS["dark"].items():
        assert f"--{name}: {colour};" in dark


def test_a_hidden_tab_is_not_updated(context):
    document = Document()
    frame = shell.dress(document, context, "dashboard", "Map")
    calls = []
    frame.every(1.0, lambda: calls.append(1))
    assert len(calls) == 1
    (callback,) = document.session_callbacks
    frame.browser.visible = False
    callback.callback()
    assert len(calls) == 1
    frame.browser.visible = True
    assert len(calls) == 2


def test_looks_of_one_period_share_a_timer(context):
    document = Document()
    frame = shell.dress(document, context, "dashboard", "Map")
    calls = []
    frame.every(1.0, lambda: calls.append("first"))
    frame.every(1.0, lambda: calls.append("second"))
    frame.every(5.0, lambda: calls.append("seldom"))
    first, _ = sorted(document.session_callbacks, key=lambda each: each.period)
    calls.clear()
    first.callback()
    assert calls == ["first", "second"]


class Session:
    """A session's context, as Bokeh's server has it; runs what is asked for when it is told to."""

    destroyed = False

    def __init__(self, document):
        self.document = document
        self.asked = []

    def with_locked_document(self, look):
        self.asked.append(look)

    def run(self):
        asked, self.asked = self.asked, []
        for look in asked:
            look(self.document)


class Loop:
    """A loop that calls at once."""

    def spawn_callback(self, call, *arguments):
        call(*arguments)


def test_a_change_of_the_fleet_is_looked_at_once_and_then_not_again_before_time_has_passed(monkeypatch):
    document = Document()
    session = Session(document)
    monkeypatch.setattr(Document, "session_context", session)
    now, seen, calls = [100.0], [True], []
    monkeypatch.setattr(beat.time, "monotonic", lambda: now[0])
    looks = beat.Beat(document, lambda: seen[0])
    looks.every(1.0, look := lambda: calls.append(now[0]))
    looks._at_once.append(look)
    (timer,) = document.session_callbacks
    calls.clear()

    looks.wake(Loop())
    looks.wake(Loop())
    assert calls == []
    # a second change while the session was busy is seen by the same look
    assert len(session.asked) == 1
    session.run()
    now[0] = 100.5
    timer.callback()
    assert calls == [100.0]
    now[0] = 101.5
    timer.callback()
    assert calls == [100.0, 101.5]
    looks.wake(Loop())
    session.run()
    assert calls == [100.0, 101.5, 101.5]
    seen[0] = False
    looks.wake(Loop())
    session.destroyed, seen[0] = True, True
    looks.wake(Loop())
    assert session.asked == []


def test_an_alarm_wakes_those_whom_anybody_holds():
    class Sleeper:
        def __init__(self, name):
            self.name = name

        def wake(self, loop):
            woken.append(self.name)

    class Now:
        def add_callback(self, call):
            call()

    woken = []
    alarm = beat.Alarm(Now())
    kept, gone = Sleeper("kept"), Sleeper("gone")
    alarm.add(kept)
    alarm.add(gone)
    del gone
    alarm.wake()
    assert woken == ["kept"]


def test_the_address_remembers_and_forgets(context):
    frame = shell.dress(Document(), context, "dashboard", "Map")
    frame.remember(vin="<a b>&", at="1,2,3")
    assert frame.browser.query == "vin=%3Ca%20b%3E%26&at=1,2,3"
    frame.remember(vin="")
    assert frame.browser.query == "at=1,2,3"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "just now"),
        (12, "12 s ago"),
        (185, "3 min ago"),
        (7500, "2 h 5 min ago"),
        (-60, "1 min in the future"),
    ],
)
def test_ages_are_said_in_words(seconds, said):
    assert words.ago(seconds) == said


def test_words_escape_what_comes_from_outside():
    hostile = '<img src="x">'
    for html in (
        words.text(hostile),
        words.badge(hostile),
        words.note(hostile, "bad", hostile),
        words.empty(hostile, hostile, hostile),
        words.facts({hostile: hostile}),
        words.table([hostile], [[hostile]]),
    ):
        assert "<img" not in html
        assert "&lt;img src=&quot;x&quot;&gt;" in html
    assert words.text("a\x00b\x1bc") == "a b c"
    assert words.clock(1e300) == "1e+300"


UNDER_BOKEH_SERVE = """
import gc, json, sys, threading
from bokeh.application import Application
from bokeh.application.handlers.script import ScriptHandler
from bokeh.settings import settings

application = Application(ScriptHandler(filename=sys.argv[1]))
before = threading.active_count()
documents = [application.create_document() for _ in range(2)]
assert all(document.get_model_by_name("map") for document in documents)
print(json.dumps({
    "readers": threading.active_count() - before,
    "frozen": gc.get_freeze_count(),
    "validates": settings.perform_document_validation(),
}))
"""


def test_sessions_under_bokeh_serve_share_one_reader_and_a_prepared_process(tmp_path):
    script = Path(__file__).parents[1] / "dashboard.py"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLEETFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_BOKEH_SERVE, str(script)],
        env={**environment, "FLEETFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["readers"] == 1
    assert found["frozen"] > 10_000
    assert found["validates"] is False
