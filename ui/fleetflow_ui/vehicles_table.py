"""The table of vehicles: one page of rows, and heads that order by their column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bokeh.models import ColumnDataSource, CustomJS
from bokeh.models.widgets import DataTable, Select, Toggle

from fleetflow.contracts.vehicles import Record
from fleetflow_ui.parts import ROW_HEIGHT, TABLE_CSS, columns, picking, redrawing
from fleetflow_ui.vehicle_rows import cell

TITLES = {
    "vin": "VIN",
    "time": "time (UTC)",
    "received_at": "received (UTC)",
    "obd_codes": "codes",
    "schema_version": "schema",
}
WIDTHS = {"vin": 190, "time": 160, "received_at": 160, "obd_codes": 170, "note": 240, "status": 110}
HEAD_CSS = ".slick-header-column { cursor: pointer; }"
SORT_JS = """
document.addEventListener("click", (event) => {
  const header = event.composedPath().find((part) => part.classList?.contains("slick-header-column"));
  if (!header) return;
  const title = header.querySelector(".slick-column-name").textContent.replace(/ [▲▼]$/, "");
  const field = Object.keys(titles).find((name) => titles[name] === title) ?? title;
  if (sort.value === field) turn.active = !turn.active;
  else sort.value = field;
});
"""
# on a phone the height is a share of the window's, of which Bokeh learns only when the width changes, too
FIT_JS = """
const view = cb_context.index.find_one(table);
if (view?.grid) new ResizeObserver(() => view.grid.resizeCanvas()).observe(view.el);
"""


class VehiclesTable:
    """Built once; `show` changes rows and heads. `pick` is called with the VIN of a row that is selected."""

    def __init__(self, fields: Sequence[str], pick: Callable[[str], None]) -> None:
        self.source = ColumnDataSource({name: [] for name in fields})
        self.table = DataTable(
            name="table",
            source=self.source,
            columns=[],
            sortable=False,
            reorderable=False,
            index_position=None,
            row_height=ROW_HEIGHT,
            sizing_mode="stretch_both",
            stylesheets=[TABLE_CSS, HEAD_CSS],
        )
        redrawing(self.table, self.source)
        self.picked = picking(self.table, self.source, "vin", pick)

    def ready(self, sort: Select, turn: Toggle) -> CustomJS:
        """Return what the browser does once the page stands: heads that order, rows as many as fit."""
        arguments = {"sort": sort, "turn": turn, "titles": TITLES, "table": self.table}
        return CustomJS(args=arguments, code=SORT_JS + FIT_JS)

    def show(
        self, records: Sequence[Record], fields: Sequence[str], order: tuple[str, bool], vin: str
    ) -> None:
        """Show records in their order, with the one of `vin` selected; sends nothing that is not new.

        `order` is the field by which they are ordered and whether downwards.
        """
        data = {
            name: [cell(name, record.get(name)) for record in records]
            for name in dict.fromkeys((*fields, "vin"))
        }
        # before the columns: a table that is just being drawn anew misses the change
        if data != dict(self.source.data):
            self.source.data = data
        self._head(fields, *order)
        indices = [data["vin"].index(vin)] if vin in data["vin"] else []
        if list(self.source.selected.indices) != indices:
            self.source.selected.indices = indices

    def _head(self, fields: Sequence[str], ordered_by: str, descending: bool) -> None:
        arrow = " ▼" if descending else " ▲"
        titles = {
            name: (TITLES.get(name, name) + (arrow if name == ordered_by else ""), WIDTHS.get(name, 110))
            for name in fields
        }
        if [(each.field, each.title) for each in self.table.columns] != [
            (name, title) for name, (title, _) in titles.items()
        ]:
            self.table.columns = columns(titles)
            self.table.min_width = sum(width for _, width in titles.values())
