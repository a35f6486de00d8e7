"""The table of vehicles: which rows, in which order, and how they leave as files."""

import csv
import io
import json
import time
from dataclasses import replace

import pytest
from bokeh.document import Document
from fleetflow_ui import export, shell
from fleetflow_ui.rows import Rows, value
from fleetflow_ui.vehicle_card import card
from fleetflow_ui.vehicle_rows import (
    ROWS,
    Choice,
    Questions,
    all_rows,
    cell,
    chosen,
    fields_of,
    ordered,
    searched,
    spreadsheet,
)
from fleetflow_ui.vehicles_page import VehiclesPage, build
from hypothesis import given
from hypothesis import strategies as st

from fleetflow import plugins
from fleetflow.errors import FleetflowError

HOSTILE = "<script>alert(1)</script>"


def record(number, **more):
    return {
        "vin": f"V{number:04d}",
        "latitude": 30.0 + number / 1000,
        "longitude": -95.0,
        "time": 1_700_000_000.0 + number,
        "source": "alpha" if number % 2 else "beta",
        "obd_codes": ["P0171"] if number % 5 == 0 else [],
        **more,
    }


def rows_of(records):
    kept = Rows()
    return [kept.of(each, each["vin"]) for each in records]


class Language:
    """A query language that knows one condition."""

    closed = False

    def where(self, expression, limit=None):
        if expression != "north":
            raise FleetflowError(f'no such word "{expression}" {HOSTILE}', "write north")
        return [record(number) for number in range(240, 250)]

    def close(self):
        self.closed = True


class Plugin:
    def __init__(self, language):
        self.language = language

    @plugins.hookimpl
    def fleetflow_query(self, configuration):
        return self.language


@pytest.fixture
def fleet(context, vehicles):
    """A context with 250 vehicles and a query language."""
    vehicles.changes.append([record(number) for number in range(250)])
    context.reader.look(vehicles)
    return replace(context, plugins=plugins.only_these([("words", Plugin(Language()))]))


@pytest.fixture
def page(fleet):
    return open_page(fleet)


def open_page(context, asked=None, **query):
    document = Document()
    frame = shell.dress(document, context, "vehicles", "Vehicles")
    frame.query.update(query)
    page = VehiclesPage(context, frame, asked or (lambda work, done: done(work())), Questions(context))
    page.update()
    return page


values = (
    st.none()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.lists(st.text(max_size=3))
)


@given(st.lists(values, max_size=30), st.booleans())
def test_ordering_keeps_every_record_and_puts_those_without_the_field_last(column, descending):
    rows = rows_of({"vin": str(index), "x": each} for index, each in enumerate(column))
    found = ordered(rows, "x", descending)
    assert sorted(value(each, "vin") for each in found) == sorted(value(each, "vin") for each in rows)
    having = [value(each, "x") for each in found if value(each, "x") is not None]
    assert [value(each, "x") for each in found] == having + [None] * (len(found) - len(having))
    if all(isinstance(each, int | float) for each in having):
        assert [float(each) for each in having] == sorted(map(float, having), reverse=descending)
    else:
        texts = [cell("x", each) for each in having]
        assert texts == sorted(texts, reverse=descending)


@given(st.text(max_size=10) | st.lists(st.text(max_size=4), max_size=3))
def test_no_text_that_a_spreadsheet_would_run_leaves_as_it_is(text):
    assert not spreadsheet(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_numbers_stay_numbers_in_a_spreadsheet():
    assert [spreadsheet(each) for each in (-95.5, 3, None, True)] == [-95.5, 3, "", "true"]


def test_each_word_of_a_search_must_be_somewhere():
    rows = rows_of([record(1, status="CRASHED"), record(11), record(21, status="crashed")])
    assert [value(each, "vin") for each in searched(rows, "crashed v00")] == ["V0001", "V0021"]
    assert searched(rows, "crashed beta") == []


def test_fields_of_any_record_can_be_columns():
    assert fields_of(rows_of([record(1), {"vin": "x", "note": "n"}]))[-1] == "note"
    assert fields_of([]) == []


def test_pages_show_a_hundred_rows_whatever_there_is(page):
    assert page.rows.source.data["vin"] == [f"V{number:04d}" for number in range(ROWS)]
    assert "<b>1 to 100</b> of 250" in page.place.text
    page._turn_to(2)
    assert len(page.rows.source.data["vin"]) == 50
    assert (page.back.disabled, page.on.disabled) == (False, True)
    page._turn_to(99)
    assert "<b>201 to 250</b>" in page.place.text


def test_search_condition_and_order_are_taken_together(page):
    page.where.value = "north"
    assert page.rows.source.data["vin"][0] == "V0240"
    page.search.value_input = "beta"
    page.turn.active = True
    assert page.rows.source.data["vin"] == ["V0248", "V0246", "V0244", "V0242", "V0240"]
    assert page.rows.table.columns[0].title == "VIN ▼"
    assert page._frame.query == {"q": "beta", "where": "north", "desc": "1"}


def test_a_condition_that_cannot_be_asked_is_said_as_text(page):
    page.where.value = "south"
    assert "no such word" in page.notice.text
    assert HOSTILE not in page.notice.text
    assert page.rows.source.data["vin"] == []
    page.where.value = ""
    assert not page.notice.visible
    assert len(page.rows.source.data["vin"]) == ROWS


def test_without_a_query_language_there_is_no_field_for_conditions(context):
    assert not open_page(context).where.visible


def test_values_change_at_once_and_rows_keep_their_places(page, fleet, vehicles):
    page.sort.value = "time"
    page.turn.active = True
    first = list(page.rows.source.data["vin"])
    page.rows.picked.key = first[3]
    vehicles.changes.append(
        [record(249, time=1_800_000_000.0, status="CRASHED"), record(0, time=1_900_000_000.0)]
    )
    fleet.reader.look(vehicles)
    page.update()
    assert page.rows.source.data["vin"] == first
    assert page.rows.source.data["status"][0] == "CRASHED"
    page._looked_at = float("-inf")
    page.update()
    assert page.rows.source.data["vin"][:2] == ["V0000", "V0249"]
    # the selected vehicle is another row now, and still the selected one
    assert page.rows.source.data["vin"][page.rows.source.selected.indices[0]] == first[3]
    assert first[3] in page.record.text


def test_nothing_is_asked_or_sent_while_nothing_changes(fleet):
    asked = []

    def ask(work, done):
        asked.append(work)
        done(work())

    page = open_page(fleet, ask)
    sent = []
    document = Document()
    document.add_root(page.root)
    document.on_change(sent.append)
    for _ in range(3):
        page._looked_at = float("-inf")
        page.update()
    assert len(asked) == 1
    assert sent == []


def test_any_field_can_be_a_column_and_order(page, fleet, vehicles):
    vehicles.changes.append([record(7, note=HOSTILE)])
    fleet.reader.look(vehicles)
    page._looked_at = float("-inf")
    page.update()
    index = page._fields.index("note")
    page.columns.active = [0, index]
    page.sort.value = "note"
    assert [column.field for column in page.rows.table.columns] == ["vin", "note"]
    assert page.rows.source.data["note"][0] == HOSTILE
    assert type(page.rows.table.columns[1].formatter).__name__ == "StringFormatter"
    page.columns.active = []
    assert page.choice.columns[0] == "vin"


def test_an_address_leads_back_to_the_same_view(fleet):
    page = open_page(
        fleet, q="beta", sort="latitude", desc="1", page="2", columns="vin,latitude", vin="V0010"
    )
    assert page.rows.source.data["vin"][0] == "V0048"
    assert page.choice.columns == ("vin", "latitude")
    assert "V0010" in page.record.text


def test_the_record_is_shown_as_text():
    shown = card(record(1, vin=HOSTILE, note="<img src=x onerror=alert(1)>"), time.time())
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown
    assert "Select a row" in card(None, 0.0)


def test_an_empty_map_and_one_that_cannot_be_read_are_said_in_words(context):
    page = open_page(context)
    assert "No vehicle yet" in page.empty.text
    assert not page.body.visible
    context.reader.fleet.say(f"layout 9 {HOSTILE} (use the fleetflow that wrote it)")
    page.update()
    assert "layout 9 &lt;script&gt;" in page.notice.text


def test_the_page_is_built_for_a_document(fleet):
    document = Document()
    build(document, fleet)
    assert document.get_model_by_name("table") is not None


def test_a_csv_file_reads_back(fleet, vehicles):
    vehicles.changes.append([record(250, vin="=cmd|'/c calc'!A0", note='a "quoted", note\nof two lines')])
    fleet.reader.look(vehicles)
    found = chosen(all_rows(fleet), Choice(search="cmd"), Questions(fleet))
    text = "".join(export.as_csv(found, ("vin", "longitude", "obd_codes", "note")))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        ["vin", "longitude", "obd_codes", "note"],
        ["'=cmd|'/c calc'!A0", "-95.0", "P0171", 'a "quoted", note\nof two lines'],
    ]


@pytest.mark.parametrize("count", [0, 1, export.PIECE, export.PIECE + 1])
def test_a_json_file_holds_whole_records(count):
    records = [record(number) for number in range(count)]
    rows = rows_of(records)
    assert json.loads("".join(export.as_json(rows))) == records
    assert len(list(csv.reader(io.StringIO("".join(export.as_csv(rows, ("vin",))))))) == count + 1


def test_an_address_of_an_export_carries_the_choice():
    choice = Choice("a b", "x > '1'", "time", True, ("vin", "note"))
    assert export.address(choice, "csv") == (
        "export/vehicles.csv?q=a+b&where=x+%3E+%271%27&sort=time&desc=1&columns=vin%2Cnote"
    )


def test_the_query_language_is_closed_with_the_server(fleet):
    questions = Questions(fleet)
    assert questions.vins("north") == {f"V{number:04d}" for number in range(240, 250)}
    questions.close()
    language = fleet.plugins.at_most_one("fleetflow_query", "it", fleet.configuration)
    assert language.closed
