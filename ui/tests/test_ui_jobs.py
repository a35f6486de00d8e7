"""The console of the jobs, without a browser: what is read, how it is drawn, what may be done."""

import fcntl
import json
import os
import time
from dataclasses import replace

import pytest
from bokeh.document import Document
from fleetflow_ui import shell
from fleetflow_ui.actions import Outcome, act, may_change
from fleetflow_ui.jobs import cards, commands, graph, views
from fleetflow_ui.jobs.reader import JobsReader, Meter, State
from fleetflow_ui.jobs.views import Certificate, JobDetail, JobView, SourceView
from fleetflow_ui.jobs_page import JobsPage, build
from fleetflow_ui.settings import UiSettings

from fleetflow.contracts.payload import Notice, Place, Reject, Span
from fleetflow.contracts.sink import Counts
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import Job, Spec, write_json
from fleetflow.ledger.store import LedgerStore
from fleetflow.quarantine.store import QuarantineStore
from fleetflow.recovery import holder_of

HOSTILE = "<script>alert(1)</script>"
DESCRIPTION = {
    "flow": "fleetflow",
    "steps": [
        f"fleetflow.{step}"
        for step in [
            "read_alpha",
            "decode_alpha",
            "read_beta",
            "decode_beta",
            "merge",
            "validate",
            "split",
            "detect",
            "record",
            "conflate",
            "write",
        ]
    ],
    "detectors": ["crash"],
    "sinks": ["ledger", "quarantine", "vehicles"],
    "shards": 8,
    "schema": {"name": "ping", "version": 2},
    "distributions": {"fleetflow-ping": "2.0.0"},
    "versions": {"fleetflow": "0.1.0"},
    "configuration": {"ledger": {"dir": "data/ledger"}, "quarantine": {"dir": "data/quarantine"}},
}


@pytest.fixture
def job(context, tmp_path):
    """A job that failed, with a ledger, rejects, a log and certificates."""
    folder = tmp_path / "jobs" / "trucks"
    (folder / "logs").mkdir(parents=True)
    job = Job(folder)
    job.write(
        Spec(
            "trucks",
            str(tmp_path),
            run=3,
            workers=2,
            processes=2,
            started_from="monday",
            description=DESCRIPTION,
        )
    )
    write_json(
        folder / "status.json",
        {"run": 3, "state": "failed", "since": time.time() - 90, "restarts": 2, "reason": f"boom {HOSTILE}"},
    )
    (folder / "logs" / "job.log").write_text(
        "2026-11-24T14:04:44.108Z INFO    fleetflow.jobs: running\n"
        "2026-11-24T14:05:44.108Z INFO    fleetflow.jobs: a process was killed by SIGKILL;"
        " failures in a row: 1\n"
        f"2026-11-24T14:06:44.108Z INFO    fleetflow.jobs: {HOSTILE}; failures in a row: 2\n"
    )
    (folder / "certificates").mkdir()
    good = {"kind": "upgrade", "time": 1_700_000_000.0, "verdict": "whole"}
    (folder / "certificates" / "20231114T221320.000-upgrade.json").write_text(json.dumps(good))
    (folder / "certificates" / "20231114T221320.000-upgrade.txt").write_text(f"verdict: whole {HOSTILE}")
    (folder / "certificates" / "20231115T000000.000-audit.json").write_text("{")
    ledger = LedgerStore(tmp_path / "data" / "ledger")
    span = Span("alpha", "0", f"{HOSTILE}.csv", 0, 700, 10, 1)
    notice = Notice("alpha", "0", "gap", f"lost {HOSTILE}", 1_700_000_000.0)
    ledger.write("0", {"alpha": Counts(10, 6, 2, 2)}, {"alpha": time.time() - 5}, [span], [notice])
    ledger.close()
    quarantine = QuarantineStore(tmp_path / "data" / "quarantine")
    place = Place("alpha", "0", "a.csv", 0, 4, b"x,y\n", "text/csv")
    quarantine.add([Reject(place, "latitude", "too far north", time.time())])
    quarantine.close()
    return job


class Acts:
    """Takes down what was to be done; `end` lets it end."""

    def __init__(self):
        self.begun = []

    def __call__(self, what, work, done):
        self.begun.append((what, work, done))


def open_page(context, act_=None):
    document = Document()
    frame = shell.dress(document, context, "jobs", "Jobs")
    reader = JobsReader(context)
    reader.want = lambda name="": reader._wanted.update({name: time.monotonic()})
    page = JobsPage(context, frame, reader, act_ or Acts())
    page.update()
    look(page)
    return page


def look(page):
    page._reader.look()
    page.update()
    page._reader._details.clear()
    page._reader.look()
    page.update()


def html(page):
    return "".join(div.text for div in page.cards.values())


def test_a_job_is_read_from_its_own_files_and_stores(job):
    shown = views.view(job)
    assert (shown.state, shown.restarts, shown.workers, shown.processes) == ("failed", 2, 2, 2)
    assert shown.sources["alpha"].counts == Counts(10, 6, 2, 2)
    assert shown.lag_s == pytest.approx(5, abs=3)
    assert shown.rejects == 2
    detail = views.detail(shown)
    assert detail.restarts == [
        ("2026-11-24T14:06:44.108Z", HOSTILE),
        ("2026-11-24T14:05:44.108Z", "a process was killed by SIGKILL"),
    ]
    assert detail.rejects == {"latitude": 1}
    assert detail.positions == [("alpha", "0", f"{HOSTILE}.csv", 0, 700, 10)]
    assert [(each.kind, each.verdict) for each in detail.certificates] == [
        ("", "damaged"),
        ("upgrade", "whole"),
    ]


def test_a_damaged_job_is_said_and_hides_no_other(job, context):
    broken = Job(job.folder.parent / "broken")
    broken.folder.mkdir()
    (broken.folder / "job.json").write_text("{")
    page = open_page(context)
    assert page.jobs.data["job"] == ["broken", "trucks"]
    assert page.jobs.data["state"] == ["unreadable", "failed"]
    assert "cannot be read" in page.cards["overview"].text


def test_a_ledger_of_a_newer_version_is_said_in_words(job, context, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "data" / "ledger" / "ledger.sqlite3") as connection:
        connection.execute("pragma user_version = 99")
    connection.close()
    page = open_page(context)
    assert "layout version 99" in page.cards["overview"].text
    assert "use the fleetflow that wrote it" in page.cards["overview"].text


def test_everything_from_outside_is_shown_as_text(job, context):
    page = open_page(context)
    assert page.jobs.data["job"] == ["trucks"]
    assert html(page).count("&lt;script&gt;") >= 6
    assert "<script" not in html(page)


def test_without_jobs_the_page_says_what_to_do(context):
    page = open_page(context)
    assert "fleetflow submit" in page.empty.text
    assert not page.panel.visible


def test_rates_are_what_was_read_between_two_looks():
    meter = Meter()

    def shown(read, quarantined=0):
        counts = Counts(read, read - quarantined, 0, quarantined)
        return JobView("a", "running", sources={"alpha": SourceView(counts, 0, "bytes", 1.0)})

    assert meter.measure(shown(100), 10.0).rate is None
    assert meter.measure(shown(300, 20), 12.0).rate == 100
    later = meter.measure(shown(100), 14.0)
    assert later.rate == 0, "an account that a crash set back is not a negative rate"
    assert meter.measure(shown(1300, 20), 30.0).sources["alpha"].settled["applied"] == pytest.approx(
        1180 / 16
    )
    assert len(meter.history) == 3


def test_the_graph_has_every_step_once_and_rates_on_its_edges():
    source = SourceView(Counts(10, 10), 5_000, "bytes", 1.0, 1234.0, {"applied": 900.0, "quarantined": 2.0})
    shown = JobView("a", "running", description=DESCRIPTION, sources={"alpha": source})
    nodes, edges = graph.nodes_and_edges(shown)
    names = [node.name for node in nodes]
    assert len(set(names)) == len(names) == len(DESCRIPTION["steps"]) + len(DESCRIPTION["sinks"])
    assert {edge.start for edge in edges} | {edge.end for edge in edges} == set(names)
    rates = {(edge.start, edge.end): edge.rate for edge in edges}
    assert rates["read_alpha", "decode_alpha"] == rates["merge", "validate"] == 1234.0
    assert rates["write", "sink_vehicles"] == 900.0
    assert rates["write", "sink_quarantine"] == 2.0
    assert rates["read_beta", "decode_beta"] is None
    drawn = graph.draw(nodes, edges)
    assert drawn.count('<rect class="plate"') == sum(rate is not None for rate in rates.values())
    assert "1.23k" in drawn
    assert "5k bytes behind" in drawn


def test_names_in_the_graph_are_text():
    hostile = {**DESCRIPTION, "steps": [f"fleetflow.read_{HOSTILE}", "fleetflow.merge"], "sinks": [HOSTILE]}
    drawn = graph.draw(*graph.nodes_and_edges(JobView("a", "running", description=hostile)))
    assert "<script" not in drawn
    assert graph.draw(*graph.nodes_and_edges(JobView("a", "running"))) == ""


@pytest.mark.parametrize("state", ["suspended", "interrupted", "cancelled"])
def test_a_job_that_has_stopped_says_why_and_what_to_do(state):
    said = cards.overview(JobView("a", state), 0.0)
    assert all(text in said for text in cards.STOPPED[state])
    assert cards.STOPPED[state][0] not in cards.overview(JobView("a", "running"), 0.0)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.42, "0.4"), (9.0, "9"), (87.4, "87"), (1234, "1.23k"), (4e6, "4M")]
)
def test_numbers_on_edges_are_short(number, text):
    assert graph.short(number) == text


def test_who_holds_a_recovery_store_is_told_without_touching_its_lock(tmp_path):
    lock = tmp_path / ".lock"
    assert holder_of(lock.parent) is None
    lock.write_text(str(os.getpid()))
    assert holder_of(lock.parent) is None
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert holder_of(lock.parent) == os.getpid()
    assert holder_of(lock.parent) is None


def test_buttons_follow_the_state_of_the_job(job, context):
    page = open_page(context)
    assert {name for name, button in page.buttons.items() if not button.disabled} == {
        "save", "restart", "resume", "cancel",
    }  # fmt: skip


def test_a_dangerous_action_asks_first(job, context):
    acts = Acts()
    page = open_page(context, acts)
    page._on_verb(next(verb for verb in commands.VERBS if verb.name == "cancel"))
    assert acts.begun == []
    assert "End trucks for good" in page.question.words.text
    page.question.close()
    page.question._on_yes()
    assert acts.begun == []
    page._on_verb(next(verb for verb in commands.VERBS if verb.name == "cancel"))
    page.question._on_yes()
    assert [what for what, _, _ in acts.begun] == ["Cancel: trucks"]
    assert all(button.disabled for button in page.buttons.values())
    acts.begun[0][2](Outcome(False, f"no {HOSTILE}", "wait"))
    assert "&lt;script&gt;" in page.notice.text
    assert not page.buttons["cancel"].disabled


def test_cancelling_ends_a_job_for_good(job, context):
    work = commands.of_verb(commands.places_of(context, 5), "cancel", "trucks", "")
    assert work() == "trucks is cancelled"
    assert views.view(job).state == "cancelled"
    with pytest.raises(FleetflowError, match="cannot be resumed"):
        commands.of_verb(commands.places_of(context, 5), "resume", "trucks", "")()


def outcome_of(context, work):
    """Do an action as a page does, and wait for what its session is told."""
    came = []
    document = Document()
    document.add_next_tick_callback = came.append
    document._session_context = type("Session", (), {"destroyed": False})
    act(context, document, "something", work, lambda outcome: outcome)
    deadline = time.monotonic() + 10
    while not came:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return came[0]()


def test_an_outcome_comes_from_a_thread_and_errors_become_words(context):
    assert outcome_of(context, lambda: "done") == Outcome(True, "done")
    failed = outcome_of(context, lambda: 1 / 0)
    assert (failed.good, failed.message) == (False, "it failed: ZeroDivisionError: division by zero")
    refused = outcome_of(context, lambda: commands.places_of(context, 1).job("none"))
    assert (refused.message, refused.hint) == ('there is no job "none"', "known: none")


def test_read_only_refuses_on_the_server_too(job, context):
    closed = replace(context, settings=UiSettings(read_only=True))
    page = open_page(closed)
    assert not page.bar.visible
    assert all(button.disabled for button in page.buttons.values())
    assert not page.saved.bar.visible
    done = []
    assert "read-only" in outcome_of(closed, lambda: done.append(1)).message
    assert done == []
    with pytest.raises(FleetflowError, match="read-only"):
        may_change(closed)
    may_change(context)


def test_a_new_job_takes_no_passwords_along(context, monkeypatch):
    monkeypatch.setenv("FLEETFLOW_UI_PASSWORD", "secret")
    monkeypatch.setenv("FLEETFLOW_FLOW_SHARDS", "4")
    spec = commands.new_spec(context, "trucks")
    assert spec.environment["FLEETFLOW_FLOW_SHARDS"] == "4"
    assert "secret" not in json.dumps(spec.environment)


def test_certificates_unfold_to_their_text():
    shown = cards.certificates(
        JobDetail(certificates=[Certificate("x", "audit", 0.0, "gap", f"a {HOSTILE}\nb")])
    )
    assert "<details>" in shown
    assert "ff-bad" in shown
    assert "<script" not in shown


def test_nothing_is_sent_while_nothing_changes(job, context):
    page = open_page(context)
    document = Document()
    document.add_root(page.root)
    sent = []
    document.on_change(sent.append)
    for _ in range(3):
        page.update()
    assert sent == []


def test_looking_ends_when_nobody_wants_to_know(context, monkeypatch):
    monkeypatch.setattr("fleetflow_ui.jobs.reader.FORGOTTEN_S", 0.05)
    monkeypatch.setattr("fleetflow_ui.jobs.reader.LOOK_S", 0.01)
    reader = JobsReader(context)
    reader.want()
    thread = reader._thread
    thread.join(10)
    assert not thread.is_alive()
    assert reader.state.version > 0
    reader.want()
    assert reader._thread is not thread
    reader.close()
    assert isinstance(reader.state, State)


def test_the_page_is_built_for_a_document(context):
    document = Document()
    build(document, context)
    assert document.get_model_by_name("jobs") is not None
    context.shared.close()


def test_sizes_are_for_people():
    assert [cards.size(count) for count in (0, 999, 41_000, 2_500_000)] == [
        "0 bytes",
        "999 bytes",
        "41.0 kB",
        "2.5 MB",
    ]
