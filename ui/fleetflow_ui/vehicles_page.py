"""The page /vehicles: all vehicles in a table, and the whole record of one."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import CustomJS
from bokeh.models.widgets import (
    Button,
    CheckboxGroup,
    Div,
    TextInput,
    Toggle,
)

from fleetflow_ui import export, words
from fleetflow_ui.background import Ask, asker, in_words
from fleetflow_ui.context import Context
from fleetflow_ui.parts import offer, put, select
from fleetflow_ui.rows import value
from fleetflow_ui.shell import Frame, dress
from fleetflow_ui.vehicle_card import RECORD_CSS, card
from fleetflow_ui.vehicle_rows import (
    COLUMNS,
    ROWS,
    Choice,
    Questions,
    all_rows,
    chosen,
    fields_of,
    questions_of,
)
from fleetflow_ui.vehicles_table import TITLES, VehiclesTable

SETTLED_S = 5.0
"""Seconds for which rows keep their places while vehicles move: values change at once, the order does not."""
BAR_CSS = """
:host { flex-wrap: wrap; align-items: end; gap: 8px 10px; padding: 12px 16px 8px; }
"""
BODY_CSS = """
:host { gap: 12px; padding: 0 16px 14px; min-height: 0; }
.rows {
  min-width: 0; overflow-x: auto; background: var(--surface); border: 1px solid var(--line);
  border-radius: 12px;
}
@media (max-width: 900px) {
  :host { flex-direction: column; height: auto !important; }
  .rows, .record { flex: none !important; width: 100% !important; max-height: none !important; }
  .rows { height: 60vh !important; }
  .record { height: auto !important; }
}
"""
PAGE_CSS = """
:host { min-height: 0; }
@media (max-width: 900px) {
  :host { height: auto !important; max-height: none !important; }
  :host > * { max-height: none !important; }
}
"""
SMALL_CSS = ".links { display: inline-flex; gap: 12px; margin-left: 8px; } span { white-space: nowrap; }"
CHOOSE_CSS = """
:host { padding: 10px 14px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; }
.bk-input-group { display: flex; flex-wrap: wrap; gap: 4px 16px; }
label { color: var(--ink); font-size: 13px; }
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: the VINs in order, the fields there are, or why there is nothing."""

    vins: list[str]
    fields: list[str]
    version: int
    order: tuple[str, bool] = ("vin", False)
    problem: str = ""
    hint: str = ""


class VehiclesPage:
    """One session's table: built once; `update` changes what is shown when something has changed."""

    def __init__(self, context: Context, frame: Frame, ask: Ask, questions: Questions) -> None:
        self._context, self._frame, self._ask, self._questions = context, frame, ask, questions
        asked = frame.query
        fields = tuple(name for name in asked.get("columns", "").split(",") if name) or COLUMNS
        self.choice = Choice(
            asked.get("q", ""),
            asked.get("where", ""),
            asked.get("sort", "vin"),
            asked.get("desc") == "1",
            fields,
        )
        self._page = max(0, int(asked["page"]) - 1) if asked.get("page", "").isdigit() else 0
        self._vin = asked.get("vin", "")
        self._found = Found([], list(COLUMNS), -1)
        self._looked_at = float("-inf")
        self._busy = self._again = False
        self._shown_version = -1
        self._fields: list[str] = []
        self._build()

    def _build(self) -> None:
        self.search = TextInput(
            title="Search", placeholder="VIN, status or source", value=self.choice.search, width=220
        )
        self.where = TextInput(
            title="Condition",
            placeholder="'P0171' in obd_codes and latitude > 35",
            value=self.choice.where,
            width=320,
            visible=self._questions.offered,
        )
        self.sort = select("Order by", self.choice.sort, [], 140, "sort")
        self.turn = Toggle(label="↑", active=self.choice.descending, width=40, name="turn")
        self.choose = Toggle(label="Columns", width=90, name="choose")
        # a widget that shows names as text: those of a record's fields come from outside
        self.columns = CheckboxGroup(
            name="columns",
            visible=False,
            inline=True,
            margin=(0, 16, 10, 16),
            sizing_mode="stretch_width",
            stylesheets=[CHOOSE_CSS],
        )
        self.back = Button(label="Back", width=64, name="back")
        self.on = Button(label="Next", width=64, name="on")
        self.place = Div(name="place", margin=(0, 0, 8, 0), stylesheets=[SMALL_CSS])
        self.downloads = Div(
            name="downloads", margin=(0, 0, 8, 0), styles={"margin-left": "auto"}, stylesheets=[SMALL_CSS]
        )
        self.rows = VehiclesTable(self.choice.columns, self._on_pick)
        rows = column(self.rows.table, css_classes=["rows"], sizing_mode="stretch_both")
        self.record = Div(
            name="record",
            width=400,
            margin=0,
            sizing_mode="stretch_height",
            css_classes=["record"],
            stylesheets=[RECORD_CSS],
        )
        self.notice = Div(name="notice", visible=False, margin=(0, 16, 8, 16), sizing_mode="stretch_width")
        self.empty = Div(name="empty", visible=False, sizing_mode="stretch_width")
        self.bar = row(
            self.search, self.where, self.sort, self.turn, self.choose,
            self.back, self.place, self.on, self.downloads,
            stylesheets=[BAR_CSS], sizing_mode="stretch_width",
        )  # fmt: skip
        self.body = row(rows, self.record, stylesheets=[BODY_CSS], sizing_mode="stretch_both")
        self.root = column(
            self.bar, self.columns, self.notice, self.empty, self.body,
            sizing_mode="stretch_both", stylesheets=[PAGE_CSS],
        )  # fmt: skip
        self.search.on_change("value_input", lambda attr, old, new: self._choose(search=new.strip()))
        self.where.on_change("value", lambda attr, old, new: self._choose(where=new.strip()))
        self.sort.on_change("value", lambda attr, old, new: self._choose(sort=new))
        self.turn.on_change("active", lambda attr, old, new: self._choose(descending=new))
        self.columns.on_change("active", self._on_columns)
        self.choose.on_change("active", lambda attr, old, new: self.columns.update(visible=new))
        self.back.on_click(lambda: self._turn_to(self._page - 1))
        self.on.on_click(lambda: self._turn_to(self._page + 1))

    def ready(self) -> CustomJS:
        """Return what the browser does once the page stands."""
        return self.rows.ready(self.sort, self.turn)

    def _choose(self, **change: Any) -> None:
        choice = replace(self.choice, **change)
        if choice == self.choice:
            return
        self.choice = choice
        if set(change) - {"columns"}:
            self._page = 0
            self._look()
        self._remember()
        self._show()

    def _turn_to(self, page: int) -> None:
        self._page = page
        self._remember()
        self._show()

    def _remember(self) -> None:
        choice = self.choice
        self._frame.remember(
            q=choice.search,
            where=choice.where,
            sort="" if choice.sort == "vin" else choice.sort,
            desc="1" if choice.descending else "",
            columns="" if choice.columns == COLUMNS else ",".join(choice.columns),
            page=str(self._page + 1) if self._page else "",
            vin=self._vin,
        )

    def update(self) -> None:
        """Show what has changed: values at once, the order of rows every few seconds."""
        fleet = self._context.reader.fleet
        if fleet.version != self._found.version and time.monotonic() - self._looked_at > SETTLED_S:
            self._look()
        if fleet.version != self._shown_version:
            self._show()
        self._show_record()

    def _look(self) -> None:
        """Ask for the vehicles of the choice; of several wishes while one is under way the last counts."""
        if self._busy:
            self._again = True
            return
        self._busy, self._looked_at = True, time.monotonic()
        context, choice, questions = self._context, self.choice, self._questions

        def work() -> Found:
            version, rows = context.reader.fleet.version, all_rows(context)
            fields, order = fields_of(rows) or list(COLUMNS), (choice.sort, choice.descending)
            try:
                vins = [str(value(each, "vin")) for each in chosen(rows, choice, questions)]
                return Found(vins, fields, version, order)
            except Exception as error:
                message, hint = in_words(error)
                return Found([], fields, version, order, message, hint)

        self._ask(work, self._arrived)

    def _arrived(self, found: Found) -> None:
        self._found, self._busy = found, False
        if self._again:
            self._again = False
            self._look()
        offer(self.sort, sorted(found.fields))
        self._offer([*dict.fromkeys((*found.fields, *self.choice.columns))])
        self._show()

    def _offer(self, fields: list[str]) -> None:
        if fields != self._fields:
            self._fields = []
            self.columns.labels = [TITLES.get(name, name) for name in fields]
            self.columns.active = [fields.index(name) for name in self.choice.columns]
            self._fields = fields

    def _on_columns(self, attr: str, old: list[int], new: list[int]) -> None:
        if self._fields:
            chosen_ = [name for index, name in enumerate(self._fields) if index in new]
            kept = [name for name in self.choice.columns if name in chosen_]
            added = [name for name in chosen_ if name not in kept]
            self._choose(columns=(*kept, *added) or COLUMNS)

    def _show(self) -> None:
        fleet, found, choice = self._context.reader.fleet, self._found, self.choice
        self._shown_version = fleet.version
        self._say()
        pages = max(1, -(-len(found.vins) // ROWS))
        self._page = min(max(self._page, 0), pages - 1)
        first = self._page * ROWS
        vins = found.vins[first : first + ROWS]
        records = [self._context.reader.fleet.record(vin) or {"vin": vin} for vin in vins]
        self.rows.show(records, choice.columns, found.order, self._vin)
        count = len(found.vins)
        put(
            self.place,
            f"<b>{first + 1:,} to {first + len(vins):,}</b> of {count:,}" if count else "<b>none</b>",
        )
        self.back.disabled, self.on.disabled = self._page == 0, self._page >= pages - 1
        self.turn.label = "↓" if choice.descending else "↑"
        links = "".join(
            f'<a href="{escape(export.address(choice, kind))}" download>{kind.upper()}</a>'
            for kind in ("csv", "json")
        )
        put(self.downloads, f'<span class="ff-soft">Export</span> <span class="links">{links}</span>')

    def _say(self) -> None:
        fleet, found = self._context.reader.fleet, self._found
        notice = empty = ""
        if fleet.problem:
            notice = words.note(f"The vehicles map cannot be read: {fleet.problem}", "bad")
        elif found.problem:
            notice = words.note(found.problem, "bad", found.hint)
        elif found.version >= 0 and not found.vins and (self.choice.search or self.choice.where):
            notice = words.note(
                "No vehicle is like that.", "", "Shorten the search, or take the condition away."
            )
        if not len(fleet) and not fleet.problem:
            empty = words.empty(
                "No vehicle yet",
                "The table fills when a job runs. This starts one with simulated vehicles:",
                "fleetflow demo",
            )
        put(self.notice, notice)
        put(self.empty, empty)
        self.bar.visible = self.body.visible = bool(len(fleet))

    def _on_pick(self, vin: str) -> None:
        self._vin = vin
        self._remember()
        self._show_record()

    def _show_record(self) -> None:
        record = self._context.reader.fleet.record(self._vin) if self._vin else None
        put(self.record, card(record, time.time()))


def build(document: Document, context: Context) -> None:
    """Fill a document for one session."""
    frame = dress(document, context, "vehicles", "Vehicles")
    page = VehiclesPage(context, frame, asker(document), questions_of(context))
    document.add_root(page.root)
    document.js_on_event("document_ready", page.ready())
    frame.every(context.settings.refresh_s, page.update)
