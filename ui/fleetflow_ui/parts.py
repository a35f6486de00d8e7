"""Parts that several pages are made of: tables of text, choices, and a question before danger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bokeh.core.properties import String
from bokeh.model import DataModel
from bokeh.models import Column, ColumnDataSource, CustomJS, Row
from bokeh.models.ui import UIElement
from bokeh.models.widgets import Button, DataTable, Div, Select, StringFormatter, TableColumn

from fleetflow_ui import words
from fleetflow_ui.actions import Outcome

ROW_HEIGHT = 32
MOST_ROWS = 8
"""Rows of a table that is as high as what it holds; more are scrolled."""
PAGE_CSS = ":host { gap: 12px; padding: 14px 16px 24px; }"
BAR_CSS = ":host { flex-wrap: wrap; align-items: end; gap: 8px; }"
SCROLL_CSS = ":host { overflow-x: auto; }"
TABLE_CSS = """
.slick-cell { line-height: 30px !important; font-variant-numeric: tabular-nums; }
.slick-header-column { padding-top: 8px !important; }
.bk-data-table:has(:focus-visible) { outline: 2px solid var(--accent) !important; outline-offset: -2px; }
.slick-cell.bk-cell-select, .bk-cell-select { background: var(--surface) !important; }
"""
CARD_CSS = """
:host {
  padding: 12px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px;
  gap: 8px;
}
"""
GRID_CSS = """
:host { display: grid !important; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 12px; }
.two { grid-column: span 2; }
.three { grid-column: span 3; }
.four { grid-column: span 4; }
.six { grid-column: span 6; }
@media (max-width: 1000px) { .two, .three, .four { grid-column: span 6; } }
"""
"""For the children of a column, by their `css_classes`; below each other on narrow screens."""
HTML_CSS = """
:host { align-self: stretch !important; height: auto !important; }
.bk-clearfix { width: 100%; }
.bk-clearfix, .ff-card { height: 100%; }
.ff-note { margin: 0 0 10px; }
"""
"""For a Div that holds a card."""
ASK_CSS = """
:host {
  flex-wrap: wrap; align-items: center; gap: 8px 12px; padding: 10px 14px; border: 1px solid var(--bad);
  border-radius: 12px; background: var(--surface);
}
"""
PICK_JS = """
const row = cb_obj.indices[0];
if (row !== undefined && row < source.get_length()) picked.key = source.data["%s"][row];
"""
Act = Callable[[str, Callable[[], str], Callable[[Outcome], None]], None]
"""Does what a reader wants: what in words, the work, and who is told the outcome."""


def put(div: Div, html: str) -> None:
    """Show HTML, or nothing; sends nothing when it is shown already."""
    if div.text != html:
        div.text = html
    if div.visible != bool(html):
        div.visible = bool(html)


def switch(button: Button, *, off: bool) -> None:
    """Let a button be pressed or not; sends nothing when it is so already."""
    if button.disabled != off:
        button.disabled = off


def heading(title: str) -> Div:
    """Return the title of a card; plain text."""
    return Div(text=f'<h3 class="ff-title">{words.text(title)}</h3>', margin=0)


def card(title: str, inside: str) -> str:
    """Return a section as HTML; `inside` is HTML, `title` plain text."""
    return f'<section class="ff-card"><h3>{words.text(title)}</h3>{inside}</section>'


def select(title: str, value: str, options: Iterable[str], width: int, name: str = "") -> Select:
    """Return a choice of one."""
    chosen = Select(title=title, value=value, width=width, name=name or None)
    offer(chosen, options)
    return chosen


def offer(chosen: Select, options: Iterable[str]) -> None:
    """Change what can be chosen; sends nothing when nothing is new."""
    wanted: list[Any] = list(dict.fromkeys([*options, str(chosen.value)]))
    if list(chosen.options) != wanted:
        chosen.options = wanted


def columns(titles: Mapping[str, tuple[str, int]]) -> list[TableColumn]:
    """Return columns of plain text; `titles` are title and width by field."""
    plain = StringFormatter()
    return [
        TableColumn(field=field, title=title, width=width, sortable=False, formatter=plain)
        for field, (title, width) in titles.items()
    ]


def table(
    source: ColumnDataSource, titles: Mapping[str, tuple[str, int]], name: str, **more: Any
) -> DataTable:
    """Return a table of plain text; whoever fills `source` orders it."""
    options: dict[str, Any] = {"height": 3 * ROW_HEIGHT, "sizing_mode": "stretch_width", **more}
    shown = DataTable(
        name=name,
        source=source,
        columns=columns(titles),
        min_width=sum(width for _, width in titles.values()),
        sortable=False,
        reorderable=False,
        index_position=None,
        row_height=ROW_HEIGHT,
        margin=0,
        stylesheets=[TABLE_CSS],
        **options,
    )
    redrawing(shown, source)
    return shown


def fill(
    source: ColumnDataSource, shown: DataTable, rows: Mapping[str, list[str]], chosen: str, key: str
) -> None:
    """Show rows, by column, and select the one that has `chosen` in column `key`; sends what is new."""
    if dict(source.data) != rows:
        source.data = dict(rows)
    indices = [rows[key].index(chosen)] if chosen in rows[key] else []
    if list(source.selected.indices) != indices:
        source.selected.indices = indices
    height = ROW_HEIGHT * (min(MOST_ROWS, max(1, len(rows[key]))) + 1) + 4
    if shown.height != height:
        shown.height = height


def redrawing(shown: DataTable, source: ColumnDataSource) -> None:
    """Let a table show new data also when it has as many rows as before: Bokeh 3.9 does not by itself."""
    source.js_on_change("data", CustomJS(args={"table": shown}, code="table.view.change.emit()"))


class Picked(DataModel):
    """The row that a reader picked, by its name: an index may mean another row when it arrives here."""

    key = String(default="")


def picking(shown: DataTable, source: ColumnDataSource, key: str, pick: Callable[[str], None]) -> Picked:
    """Call `pick` with what stands in column `key` of the row that is selected in the browser."""
    picked = Picked()
    shown.tags = [picked]
    source.selected.js_on_change(
        "indices", CustomJS(args={"source": source, "picked": picked}, code=PICK_JS % key)
    )
    picked.on_change("key", lambda attr, old, new: pick(str(new)))
    return picked


def grid(*children: UIElement) -> Column:
    """Return cards beside each other, by their `css_classes`; it can be hidden, which a bare grid cannot."""
    inner = Column(children=list(children), stylesheets=[GRID_CSS], sizing_mode="stretch_width")
    return Column(children=[inner], sizing_mode="stretch_width")


def scrolling(shown: DataTable) -> Column:
    """Return a table that narrow screens scroll sideways."""
    return Column(children=[shown], stylesheets=[SCROLL_CSS], sizing_mode="stretch_width")


class Question:
    """Asks before something dangerous is done: a sentence, yes, no."""

    def __init__(self) -> None:
        self._yes: Callable[[], None] = lambda: None
        self.words = Div(name="question", sizing_mode="stretch_width", min_width=200)
        self.confirm = Button(label="Yes", button_type="danger", name="confirm", width=160)
        self.keep = Button(label="No, leave it", name="keep", width=110)
        self.root = Row(
            children=[self.words, self.confirm, self.keep],
            visible=False,
            stylesheets=[ASK_CSS],
            sizing_mode="stretch_width",
            name="asking",
        )
        self.confirm.on_click(self._on_yes)
        self.keep.on_click(self.close)

    def ask(self, sentence: str, label: str, yes: Callable[[], None]) -> None:
        """Show the question; `yes` is called when it is confirmed."""
        self._yes = yes
        self.words.text = f"<b>{words.text(sentence)}</b>"
        self.confirm.label = label
        self.root.visible = True

    def close(self) -> None:
        """Take the question away."""
        self._yes = lambda: None
        self.root.visible = False

    def _on_yes(self) -> None:
        yes = self._yes
        self.close()
        yes()
