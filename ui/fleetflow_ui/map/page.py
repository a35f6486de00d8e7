"""One session's map: built once, `update` changes columns and words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import CustomJS
from bokeh.models.widgets import Button, Div

from fleetflow_ui import shell, words
from fleetflow_ui.context import Context
from fleetflow_ui.fleet import Fleet
from fleetflow_ui.geo import View, degrees
from fleetflow_ui.map import tip, trail
from fleetflow_ui.map.camera import Camera
from fleetflow_ui.map.dots import hex_size_m, scene
from fleetflow_ui.map.figure import MapFigure
from fleetflow_ui.map.filters import Choice, FilterBar
from fleetflow_ui.map.ground import Ground
from fleetflow_ui.map.notice import notice
from fleetflow_ui.map.panel import Panel
from fleetflow_ui.map.search import Search
from fleetflow_ui.parts import put

SETTLE_MS = 120
"""How long the view must have been still before new dots are sent."""
ESCAPE = """
document.addEventListener("keydown", (event) => {
  if (event.key == "Escape" && close.visible) close.setv({tags: [Date.now()]})
})
"""


class MapPage:
    """The widgets and what they do to each other."""

    def __init__(self, document: Document, context: Context, frame: shell.Frame) -> None:
        self._document, self._context, self._frame = document, context, frame
        self._stale_s = context.settings.stale_s
        self._selected: int | None = None
        self._generation = self.fleet.generation
        self._archived = trail.NO_LINE
        self._shown: tuple[Any, ...] = ()
        self._told = ""
        self._summed: tuple[str, Choice] | None = None
        self._fitted = False
        self._measured = False
        self._waiting = False
        self.map = MapFigure(context, frame.theme)
        self.camera = Camera(self.map)
        self.search = Search(self.fleet, self.select_vin)
        self.filters = FilterBar(self._on_choice)
        self.panel = Panel(context.configuration, self.clear, self._on_follow, self._zoom_to)
        self.said = Div(name="said", css_classes=["ff-said"], margin=0, visible=False)
        self.summary = Div(name="summary", css_classes=["ff-summary"], margin=0)
        look: dict[str, Any] = {"margin": 0, "sizing_mode": "stretch_width"}
        self.fit_button = Button(label="Fit", name="fit", **look)
        plus = Button(label="+", name="zoom-in", **look)
        minus = Button(label="\u2212", name="zoom-out", **look)
        self.show_all = Button(label="Show all", name="show-all", margin=0, visible=False)
        self.fit_button.on_click(self.fit)
        plus.on_click(lambda: self.camera.zoom(1))
        minus.on_click(lambda: self.camera.zoom(-1))
        self.show_all.on_click(self.filters.clear)
        self.roots = [
            self.map.plot,
            column(
                self.search.root,
                self.filters.root,
                self.summary,
                self.show_all,
                name="finder",
                css_classes=["ff-finder"],
                margin=0,
                spacing=8,
            ),
            column(plus, minus, self.fit_button, css_classes=["ff-zoom"], margin=0, spacing=4),
            self.panel.root,
            self.said,
            self.map.tip,
        ]
        self.ground = None if context.tiles else Ground(document, self.map, frame.theme)
        self._listen()

    @property
    def fleet(self) -> Fleet:
        """The fleet of this process."""
        return self._context.reader.fleet

    def _listen(self) -> None:
        plot, pointer = self.map.plot, self.map.pointer
        for model, names in (
            (plot.x_range, ("start", "end")),
            (plot.y_range, ("start", "end")),
            (plot, ("inner_width", "inner_height")),
        ):
            for name in names:
                model.on_change(name, self._on_view)
        pointer.on_change("hovered", lambda attr, old, new: self._hover(new))
        pointer.on_change("taps", lambda attr, old, new: self.select(pointer.tapped))
        pointer.on_change("opened", lambda attr, old, new: self.camera.open(pointer.open_x, pointer.open_y))
        self.panel.root.on_change("tags", lambda attr, old, new: self.clear())
        self._document.js_on_event("document_ready", self.search.ready())
        self._document.js_on_event("document_ready", CustomJS(args={"close": self.panel.root}, code=ESCAPE))
        self._frame.on_theme(self._paint)

    def start(self) -> None:
        """Show what the page's address asks for."""
        if self.camera.start(self._frame.query.get("at", "")):
            self._fitted = True

    def update(self) -> None:
        """Show the newest state of the fleet; sends nothing when nothing has changed that is shown."""
        now = time.time()
        fleet = self.fleet
        if fleet.generation != self._generation:
            self._generation = fleet.generation
            self._unmark()
        if len(fleet) and fleet.whole and not self._fitted:
            self._fitted = True
            self.fit()
        if self._selected is None and fleet.whole and (slot := fleet.slot(self._wanted)) is not None:
            self.select(slot)
            if "at" not in self._frame.query:
                self.camera.approach(self.fleet, slot)
        self._tell(now)
        self._follow()
        self.draw(now)
        if self._selected is not None:
            self.panel.show(fleet, self._selected, now, self._stale_s)

    def draw(self, now: float) -> None:
        """Send this session the dots it shows, as far as they changed."""
        fleet, view, choice = self.fleet, self.map.view, self.filters.choice
        state = (fleet.version, view, choice, self._selected, int(now / 5))
        if state == self._shown:
            return
        self._shown = state
        with fleet.lock:
            counts = fleet.counts(now, self._stale_s)
            asked = choice.key(now)
            mask = choice.shown(fleet, now, self._stale_s)
            found = scene(fleet, view, mask, shared=asked)
            self.map.dots.show(fleet, found.dots, now, self._stale_s)
            self.map.crashed.show(fleet, found.crashed, now, self._stale_s)
            self.map.marked.show(fleet, found.selected, now, self._stale_s)
            if self._selected is not None:
                self._mark(fleet, self._selected)
            shown = fleet.once(("shown", asked, self._stale_s), lambda: int(np.count_nonzero(mask)))
        self.map.hexagons.show(found.hexagons)
        self.map.resize(view.zoom, hex_size_m(view) if found.hexagons else None)
        self.filters.update(counts)
        said = (
            words.count(shown, "vehicle")
            if shown == counts.vehicles
            else f"{shown:,} of {counts.vehicles:,} vehicles"
        )
        if (said, choice) != self._summed:
            self._summed = (said, choice)
            self.summary.text = said
            self.show_all.visible = bool(choice)

    def _mark(self, fleet: Fleet, slot: int) -> None:
        mark = {
            "x": fleet.x[[slot]],
            "y": fleet.y[[slot]],
            "heading": -fleet.heading_rad[[slot]],
            "slot": np.array([slot], np.int32),
        }
        old = self.map.chosen.data
        if not all(np.array_equal(mark[name], old[name], equal_nan=True) for name in ("x", "y", "slot")):
            self.map.chosen.data = mark
            x, y = trail.joined(self._archived, fleet.trail(slot))
            self.map.trail.data = {"x": x, "y": y}

    @property
    def _wanted(self) -> str:
        """The VIN in the address: of the selected vehicle, or of one that may yet come."""
        return self._frame.query.get("vin", "")

    def _tell(self, now: float) -> None:
        missing = self._wanted if self._selected is None and self.fleet.whole else ""
        self._say(notice(self._context, self.filters.choice, now, missing))

    def _say(self, said: str) -> None:
        if said != self._told:
            self._told = said
            put(self.said, said)

    # what people do

    def select_vin(self, vin: str) -> None:
        """Select a vehicle and bring it into view."""
        slot = self.fleet.slot(vin)
        if slot is not None:
            self.select(slot)
            self.camera.approach(self.fleet, slot)

    def select(self, slot: int) -> None:
        """Select a vehicle: its panel, its trail."""
        if not 0 <= slot < len(self.fleet):
            return
        vin = self.fleet.vins[slot]
        if slot != self._selected:
            self._selected = slot
            self._archived = trail.NO_LINE
            self.map.chosen.data = {"x": [], "y": [], "heading": [], "slot": []}
            self.panel.load(vin)
            self._frame.remember(vin=vin)
            self._read_archive(vin, slot)
        now = time.time()
        self.panel.show(self.fleet, slot, now, self._stale_s)
        self.draw(now)

    def clear(self) -> None:
        """Select nothing."""
        self._unmark()
        self._frame.remember(vin="")
        self._tell(time.time())

    def _unmark(self) -> None:
        self._selected = None
        self.panel.follow.active = False
        self.panel.root.visible = False
        self.map.tip.visible = False
        self.map.chosen.data = {"x": [], "y": [], "heading": [], "slot": []}
        self.map.trail.data = {"x": [], "y": []}

    def fit(self) -> None:
        """Show all vehicles that are chosen."""
        with self.fleet.lock:
            mask = self.filters.choice.shown(self.fleet, time.time(), self._stale_s)
            self.camera.fit(self.fleet, mask)

    def _read_archive(self, vin: str, slot: int) -> None:
        def show(line: trail.Line) -> None:
            if self._selected == slot:
                self._archived = line
                x, y = trail.joined(line, self.fleet.trail(slot))
                self.map.trail.data = {"x": x, "y": y}

        def read() -> None:
            line = trail.archived(self._context, vin)
            if len(line[0]):
                self._document.add_next_tick_callback(lambda: show(line))

        trail.READERS.submit(read)

    def _hover(self, slot: int) -> None:
        shown = self.map.tip
        if not 0 <= slot < len(self.fleet):
            shown.visible = False
            return
        shown.text = tip.words_of(self.fleet, slot, time.time(), self.panel.describe)
        shown.visible = True

    def _zoom_to(self) -> None:
        if self._selected is not None:
            self.camera.close_in(self.fleet, self._selected)

    def _on_follow(self, active: bool) -> None:
        if active and self._selected is not None:
            self.camera.centre(self.fleet, self._selected, self.map.view.zoom)

    def _follow(self) -> None:
        if self._selected is not None and self.panel.follow.active:
            self.camera.follow(self.fleet, self._selected)

    def _on_choice(self) -> None:
        now = time.time()
        self.draw(now)
        self._tell(now)

    def _on_view(self, attr: str, old: Any, new: Any) -> None:
        if attr == "inner_height" and not self._measured:
            # what was fitted before was fitted to a guess of the window's size
            self._measured = True
            if "at" not in self._frame.query:
                self.fit()
                if self._selected is not None:
                    self.camera.approach(self.fleet, self._selected)
        if not self._waiting:
            self._waiting = True
            self._document.add_timeout_callback(self._settle, SETTLE_MS)

    def _settle(self) -> None:
        self._waiting = False
        view = self.map.view
        self.draw(time.time())
        if self.ground is not None:
            self.ground.show(view)
        self._remember(view)

    def _remember(self, view: View) -> None:
        latitude, longitude = degrees(*view.middle)
        self._frame.remember(at=f"{latitude:.4f},{longitude:.4f},{view.zoom:.2f}")

    def _paint(self, theme: shell.ThemeName) -> None:
        self.map.paint(theme)
        if self.ground is not None:
            self.ground.paint(theme, self.map.view)


def build(document: Document, context: Context) -> None:
    """Fill a document for one session."""
    css = shell.static("map.css")
    frame = shell.dress(document, context, "dashboard", "Map", page_css=css, scripts=["widgets"])
    page = MapPage(document, context, frame)
    # Bokeh looks through all models of a document after each change of its roots: once is enough
    with document.models.freeze():
        for root in page.roots:
            document.add_root(root)
    page.start()
    frame.every(context.settings.refresh_s, page.update)
    # two waits, for the reader and for this session, would add up
    frame.on_fleet(page.update)
