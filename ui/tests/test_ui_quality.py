"""Rejects over time, their raw bytes, and back through."""

import sqlite3
import time
from dataclasses import replace

import pytest
from bokeh.document import Document
from fleetflow_ui import quality_plugin, shell
from fleetflow_ui.actions import Outcome
from fleetflow_ui.quality import BARS, Quality, Wish, bars, look
from fleetflow_ui.quality_page import QualityPage, build
from fleetflow_ui.quality_raw import shown_bytes
from fleetflow_ui.quality_requeue import folders_of, requeue
from fleetflow_ui.settings import UiSettings
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.contracts.payload import Place, Reject
from fleetflow.quarantine.settings import folder_of
from fleetflow.quarantine.store import QuarantineReader, QuarantineStore, Selection

HOSTILE = b"<script>alert(1)</script>,99\n"


def reject(number, rule="latitude", source="alpha", raw=b"1FLT,135,-95,1\n"):
    place = Place(source, "0", f"{source}.csv", number * 100, number * 100 + len(raw), raw, "text/csv")
    return Reject(place, rule, f"the {rule} <b>must</b> be known", time.time())


@pytest.fixture
def store(context):
    store = QuarantineStore(folder_of(context.configuration))
    yield store
    store.close()


@pytest.fixture
def filled(store):
    store.add([reject(number) for number in range(5)])
    store.add([reject(number, "malformed", "beta", HOSTILE) for number in range(3)])
    return store


def open_page(context, acts=None, **query):
    document = Document()
    frame = shell.dress(document, context, "quality", "Quality")
    frame.query.update(query)
    begun = [] if acts is None else acts
    page = QualityPage(
        context,
        frame,
        lambda work, done: done(work()),
        lambda *action: begun.append(action),
        folders_of(context),
    )
    page.update()
    return page


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_shown(raw):
    shown = shown_bytes(raw)
    assert len(shown) < 6 * 500
    assert all(ord(letter) >= 32 or letter in "\t\r\n" for letter in shown)


def test_text_is_shown_as_text_and_the_rest_in_hexadecimal():
    assert shown_bytes("häßlich\n".encode()) == "häßlich\n"
    assert shown_bytes(b"\x00\xffabc") == "000000  00 ff 61 62 63                                   ..abc"
    assert shown_bytes(b"a" * 500) == "a" * 400 + " … 100 bytes more"
    assert shown_bytes(b"a" * 399 + "ß".encode() + b"b" * 9).startswith("a" * 399 + " …")
    assert shown_bytes(b"\x1b[31mred").startswith("000000")


def test_rejects_are_counted_in_stretches_of_time(context, filled):
    folder = folder_of(context.configuration)
    now = time.time() + 1
    quality = look(folder, Wish("last hour", "rule"), now)
    assert quality.total == 8
    assert {rule: sum(counts.values()) for rule, counts in quality.heights.items()} == {
        "latitude": 5,
        "malformed": 3,
    }
    data = bars(quality, {"latitude": "#111111", "malformed": "#222222"})
    assert sum(data["count"]) == 8
    assert max(data["top"]) == 8
    assert all(right / 1000 <= now for right in data["right"])
    assert look(folder, Wish("last hour", "rule"), now, quality) is quality
    assert look(folder, Wish("all", "source", Selection(rule="malformed")), now).heights.keys() == {"beta"}
    assert look(folder, Wish("last hour", "rule"), now + 7200).heights == {}


def test_a_reader_counts_what_is_selected(context, filled):
    reader = QuarantineReader(folder_of(context.configuration))
    assert reader.count(Selection(source="beta")) == 3
    assert reader.begin() <= time.time()
    with pytest.raises(ValueError, match="by must be one of"):
        reader.over_time("raw", Selection(), 0.0, 1.0)
    before = reader.revision()
    assert filled.requeue(Selection(rule="malformed")) == 3
    assert reader.revision() != before
    reader.close()


def test_bars_of_one_stretch_stand_on_each_other():
    quality = Quality(begin=0.0, width_s=10.0, heights={"a": {0: 2, BARS: 1}, "b": {0: 3}})
    data = bars(quality, {"a": "#1", "b": "#2"})
    assert list(zip(data["group"], data["bottom"], data["top"], strict=True)) == [
        ("a", 0, 2),
        ("a", 0, 1),
        ("b", 2, 5),
    ]


def test_samples_and_raw_bytes_are_text(context, filled):
    page = open_page(context)
    assert page.samples.source.data["rule"] == ["malformed"] * 3 + ["latitude"] * 5
    page.samples.source.selected.indices = [0]
    assert "&lt;script&gt;alert(1)" in page.samples.raw.text
    assert "<script" not in page.samples.raw.text
    assert "<b>must" not in page.samples.raw.text
    assert type(page.samples.table.columns[4].formatter).__name__ == "StringFormatter"


def test_filters_select_and_are_remembered(context, filled):
    page = open_page(context)
    page.source.value = "beta"
    assert set(page.samples.source.data["source"]) == {"beta"}
    assert "3 rejects" in page.samples.caption.text
    page.by.active = 1
    assert set(page.chart.heaps.data["group"]) == {"beta"}
    assert page._frame.query == {"source": "beta", "by": "source"}
    again = open_page(context, source="beta", by="source", span="last hour")
    assert (again.wish.by, again.wish.span) == ("source", "last hour")
    assert len(again.samples.source.data["id"]) == 3


def test_a_choice_that_fits_no_reject_is_said(context, filled):
    page = open_page(context, source="beta", rule="latitude")
    assert "0 rejects" in page.samples.caption.text
    assert "None is like what you chose" in page.samples.caption.text


def test_an_error_that_is_over_is_taken_away(context, filled):
    page = open_page(context)
    page._arrived(Quality(problem="it is locked"))
    assert "it is locked" in page.notice.text
    page._arrived(page.quality.__class__(total=1, by_rule={"latitude": 1}))
    assert not page.notice.visible


def test_requeue_asks_first_and_says_what_came_of_it(context, filled):
    acts = []
    page = open_page(context, acts)
    assert page.requeue.disabled
    page.samples.source.selected.indices = [0, 2]
    page._on_requeue()
    assert acts == []
    assert "2 selected rejects" in page.question.words.text
    page.question._on_yes()
    ((what, work, done),) = acts
    assert what == "Requeue 2 selected rejects"
    said = work()
    assert said.startswith("2 rejects requeued")
    done(Outcome(True, said))
    assert "2 rejects requeued" in page.notice.text
    assert page.samples.source.data["state"] == ["requeued", "quarantined", "requeued"] + ["quarantined"] * 5


def test_requeue_of_all_takes_the_filters(context, filled):
    acts = []
    page = open_page(context, acts, rule="latitude")
    assert page.requeue_all.label == "Requeue all that match (5)"
    page._on_requeue_all()
    assert "all 5 rejects of rule latitude" in page.question.words.text
    assert page.question.confirm.label == "Yes, requeue 5"
    page.question._on_yes()
    (what, work, done), *_ = acts
    assert what == "Requeue all 5 rejects of rule latitude"
    done(Outcome(True, work()))
    assert "5 rejects requeued" in page.notice.text
    assert (page.requeue_all.label, page.requeue_all.disabled) == ("Requeue all that match (0)", True)
    assert requeue(folder_of(context.configuration), Selection()).startswith("3 rejects requeued")
    assert requeue(folder_of(context.configuration), Selection()).startswith("Nothing was requeued")


def test_what_was_put_back_already_is_not_counted_again(context, filled):
    filled.requeue(Selection(rule="latitude"))
    page = open_page(context, [])
    page.samples.source.selected.indices = list(range(8))
    assert (page.requeue.label, page.requeue_all.label) == (
        "Requeue selected (3)",
        "Requeue all that match (3)",
    )
    page.state.value = "requeued"
    assert (page.requeue_all.label, page.requeue_all.disabled) == ("Requeue all that match (0)", True)


def test_read_only_shows_no_way_to_requeue(context, filled):
    page = open_page(replace(context, settings=UiSettings(read_only=True)))
    page.samples.source.selected.indices = [0]
    assert (page.requeue.visible, page.requeue.disabled) == (False, True)
    assert (page.requeue_all.visible, page.requeue_all.disabled) == (False, True)


def test_no_rejects_and_a_store_of_a_newer_version_are_said_in_words(context, store):
    page = open_page(context)
    assert "No rejects" in page.empty.text
    # a grid cannot be hidden itself: its style sheet says how it is displayed
    assert not page.panel.visible
    assert page.panel.stylesheets == []
    store.close()
    path = folder_of(context.configuration) / "quarantine.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    page = open_page(context)
    assert "layout version 99" in page.notice.text


def test_the_page_comes_by_the_hook_that_every_plugin_has(context, filled):
    (page,) = quality_plugin.fleetflow_pages()
    document = Document()
    page.build(document, context)
    assert document.get_model_by_name("samples") is not None
    build(Document(), context)
