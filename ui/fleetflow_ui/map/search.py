"""Finding a vehicle by its VIN: type, then Enter for the first or the arrow keys for another."""

from __future__ import annotations

from collections.abc import Callable

from bokeh.events import Event, ValueSubmit
from bokeh.layouts import column
from bokeh.models import CustomJS
from bokeh.models.widgets import Div, MultiSelect, TextInput

from fleetflow_ui.fleet import Fleet

# the list is the browser's own: arrow keys, letters and screen readers work; Down leads into it
DOWN = """
const {index} = cb_context
const input = index.find_one(field)?.input_el
if (input == null || input.dataset.ready) return
input.dataset.ready = "yes"
input.setAttribute("aria-label", "Find a vehicle by VIN")
input.addEventListener("keydown", (event) => {
  if (event.key == "ArrowDown" && list.visible) {
    index.find_one(list)?.input_el.focus()
    event.preventDefault()
  }
})
document.addEventListener("keydown", (event) => {
  const free = event.composedPath()[0]
  if (event.key == "/" && !["INPUT", "TEXTAREA", "SELECT"].includes(free.tagName)) {
    input.focus()
    event.preventDefault()
  }
})
"""


class Search:
    """The field and its answers; `on_found` is called with the VIN of a chosen vehicle."""

    def __init__(self, fleet: Fleet, on_found: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._on_found = on_found
        self._found: list[str] = []
        self.field = TextInput(
            name="search", placeholder="Find a VIN   ( / )", margin=0, sizing_mode="stretch_width"
        )
        self.list = MultiSelect(
            name="found", visible=False, margin=0, sizing_mode="stretch_width", css_classes=["ff-found"]
        )
        self.none = Div(name="none-found", visible=False, margin=0, css_classes=["ff-none"])
        self.field.on_change("value_input", self._on_input)
        self.field.on_event(ValueSubmit, self._on_submit)
        self.list.on_change("value", self._on_pick)
        self.root = column(self.field, self.list, self.none, margin=0, spacing=4, sizing_mode="stretch_width")

    def ready(self) -> CustomJS:
        """Return what the browser does once the page stands: keys."""
        return CustomJS(
            args={"field": self.field, "list": self.list},
            code=DOWN,
        )

    def look(self, text: str) -> None:
        """Show the vehicles found for a text."""
        self._found = self._fleet.search(text)
        # by number, not by VIN: the widget compares values as text of the page
        self.list.options = [(str(index), vin) for index, vin in enumerate(self._found)]
        self.list.value = []
        self.list.size = max(2, len(self._found))
        self.list.visible = bool(self._found)
        self.none.text = "No vehicle has a VIN like this." if text.strip() and not self._found else ""
        self.none.visible = bool(self.none.text)

    def _on_input(self, attr: str, old: str, new: str) -> None:
        self.look(new)

    def _on_submit(self, event: Event) -> None:
        assert isinstance(event, ValueSubmit)
        self.look(event.value)
        if self._found:
            self._choose(self._found[0])

    def _on_pick(self, attr: str, old: list[str], new: list[str]) -> None:
        if new and int(new[0]) < len(self._found):
            self._choose(self._found[int(new[0])])

    def _choose(self, vin: str) -> None:
        self.list.visible = False
        self._on_found(vin)
