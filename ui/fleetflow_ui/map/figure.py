"""The figure of the map: its ground, the layers above it, and what the pointer does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from bokeh.core.properties import Float, Int, value
from bokeh.model import DataModel
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJS,
    CustomJSTransform,
    Glyph,
    GlyphRenderer,
    HexTile,
    HoverTool,
    Line,
    LinearColorMapper,
    LogColorMapper,
    PanTool,
    Range1d,
    Scatter,
    TapTool,
    Text,
    WheelZoomTool,
    WMTSTileSource,
)
from bokeh.models.widgets import Div
from bokeh.plotting import figure

from fleetflow_ui import shell
from fleetflow_ui.basemap import ATTRIBUTION, URL_TEMPLATE
from fleetflow_ui.context import Context
from fleetflow_ui.geo import WORLD_M, View, mercator
from fleetflow_ui.map.dots import DotColumns, HexColumns

SOUTH_WEST, NORTH_EAST = (28.5, -104.5), (45.5, -79.5)
"""The central United States, in degrees: shown until there are vehicles."""
CRISP_PX = 352
"""At this size a tile of 512 px gives way to the next zoom's: letters are drawn 0.7 to 1.4 times as large
as meant. Bokeh alone would only ever enlarge tiles, up to twice."""
HEX_COLOURS = {
    "light": ("#cfe0fb", "#a4c5f6", "#74a5ee", "#4484e0", "#1f62c4", "#0f4594"),
    "dark": ("#1b3252", "#224878", "#2b629f", "#3b80c8", "#5aa2ff", "#9cc8ff"),
}
COUNT_COLOURS = {
    "light": ("#17202b",) * 4 + ("#ffffff",) * 2,
    "dark": ("#e6ebf2",) * 4 + ("#0b1016",) * 2,
}
"""Of the counts in the hexagons. Outlined letters, which could be read on any colour, take long to draw."""
FADED = {"light": ("#8fb2e4", "#ecd79b"), "dark": ("#36597f", "#766634")}
"""Normal and other vehicles that are not heard of."""
FADED_GREEN = {"light": "#86c2a6", "dark": "#266f51"}
"""Selected ones that are not heard of. Crashed ones do not fade: they often fall silent."""
PUPIL = {"light": "#17202b", "dark": "#0b1016"}
"""The point in the middle of a dot of any other status: not everybody tells yellow from the rest."""
RIM = {"light": "#ffffff", "dark": "#0b1016"}

# None of these scripts is a module: Bokeh loads each such one by itself, before it draws anything.
# a nose in front of the dot; up is where the vehicle goes
NOSE = """
const {r} = cb_data
const path = new Path2D()
path.moveTo(0, -2.5 * r)
path.lineTo(1.05 * r, -0.2 * r)
path.lineTo(-1.05 * r, -0.2 * r)
path.closePath()
return path
"""
# a count in at most four letters: 870, 1.2k, 34k; an array of numbers would turn each text into a number
SHORT = """
return Array.from(xs, (n) =>
  n < 1000 ? `${n}` : n < 9950 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`)
"""
# the words come from the server when another vehicle is pointed at; the place is the browser's own affair
HOVER = """
const {renderer, index, geometry} = cb_data
const hits = pointer.hits ??= new Map()
const [row] = index.indices
hits.set(renderer.id, row == null ? -1 : renderer.data_source.data.slot[row] ?? -1)
const hovered = Math.max(-1, ...hits.values())
if (hovered != pointer.hovered) pointer.setv({hovered})
const el = cb_context.index.find_one(tip)?.el
if (el == null || !isFinite(geometry.sx)) return
const wide = document.querySelector("main").clientWidth
el.style.left = `${geometry.sx}px`
el.style.top = `${geometry.sy}px`
el.style.transform = `translate(${geometry.sx > wide - 300 ? "calc(-100% - 14px)" : "14px"}, 14px)`
"""
TAP = """
const {source} = cb_data
const [row] = source.selected.indices
if (row == null) return
source.selected.indices = []
const {slot, x, y} = source.data
if (slot == null) pointer.setv({open_x: x[row], open_y: y[row], opened: pointer.opened + 1})
else pointer.setv({tapped: slot[row], taps: pointer.taps + 1})
"""


class Pointer(DataModel):
    """What the pointer is on and what was clicked: a vehicle's slot (-1: none), the middle of a hexagon."""

    # Bokeh's descriptors give plain values on instances, which its type hints do not say
    hovered: int = Int(default=-1)  # type: ignore[assignment]
    tapped: int = Int(default=-1)  # type: ignore[assignment]
    taps: int = Int(default=0)  # type: ignore[assignment]
    open_x: float = Float(default=0.0)  # type: ignore[assignment]
    open_y: float = Float(default=0.0)  # type: ignore[assignment]
    opened: int = Int(default=0)  # type: ignore[assignment]


class MapFigure:
    """The figure with its sources; knows nothing of vehicles beyond their columns."""

    def __init__(self, context: Context, theme: shell.ThemeName) -> None:
        self.pointer = Pointer(name="pointer")
        self.tip = Div(name="tip", visible=False, css_classes=["ff-tip"], margin=0)
        self.dots, self.crashed, self.marked = DotColumns(), DotColumns(), DotColumns()
        self.hexagons = HexColumns()
        self.chosen = ColumnDataSource({"x": [], "y": [], "heading": [], "slot": []})
        self.trail = ColumnDataSource({"x": [], "y": []})
        west, south = mercator(*SOUTH_WEST)
        east, north = mercator(*NORTH_EAST)
        # the browser tells the real one
        self._size_px = (1400.0, 800.0)
        self._view: View | None = None
        self._sized: tuple[float, float | None] = (0.0, None)
        self._x = Range1d(west, east, min_interval=2000, max_interval=WORLD_M)
        self._y = Range1d(south, north, min_interval=1200, max_interval=WORLD_M)
        self.plot = figure(
            name="map",
            x_range=self._x,
            y_range=self._y,
            x_axis_type=None,
            y_axis_type=None,
            tools=[],
            toolbar_location=None,
            sizing_mode="stretch_both",
            output_backend="canvas",
            min_border=0,
            lod_threshold=None,
            css_classes=["ff-map"],
        )
        for edges in (self._x, self._y):
            for name in ("start", "end"):
                edges.on_change(name, self._on_edge)
        self.plot.on_change("inner_width", self._on_size)
        self.plot.on_change("inner_height", self._on_size)
        self._ground = self._tiles(context)
        self._views: dict[ColumnDataSource, CDSView] = {}
        self._layers()
        self._tools()
        self.paint(theme)

    def _tiles(self, context: Context) -> WMTSTileSource | None:
        settings = context.settings
        ground = None
        if context.tiles:
            ground = WMTSTileSource(
                url=URL_TEMPLATE.format(theme="light"),
                tile_size=CRISP_PX,
                initial_resolution=WORLD_M / CRISP_PX,
                attribution=ATTRIBUTION,
                max_zoom=14,
            )
            self.plot.add_tile(ground, level="image", name="ground")
        if settings.tiles_url:
            # above the built-in ground, which shows through wherever these do not load
            online = WMTSTileSource(url=settings.tiles_url, attribution=settings.tiles_attribution)
            self.plot.add_tile(online, level="image", name="online")
        if ground is None:
            # the ground comes as pictures (see `ground`), which tell nobody where they are from
            self.plot.attribution = [ATTRIBUTION]
        return ground

    def _layers(self) -> None:
        self._nose = CustomJS(code=NOSE)
        self._hex_mapper, self._count_mapper = (LogColorMapper(low=1, high=1000) for _ in range(2))
        counted = {"field": "count", "transform": self._hex_mapper}
        shown = {"field": "count", "transform": CustomJSTransform(v_func=SHORT)}
        many = self.hexagons.source
        self._hexes = self._layer(
            many,
            HexTile(q="q", r="r", size=1.0, fill_color=counted, fill_alpha=0.82, line_width=1),
            "hexagons",
        )
        self._hex_text = self._layer(
            many,
            Text(
                x="x",
                y="y",
                text=shown,
                text_align="center",
                text_baseline="middle",
                text_font=value("system-ui, sans-serif"),
                text_font_size=value("11px"),
                text_font_style="bold",
                text_color={"field": "count", "transform": self._count_mapper},
            ),
            "counts",
        )
        line = {"x": "x", "y": "y", "line_join": "round"}
        self._trail_rim = self._layer(self.trail, Line(**line, line_width=7, line_alpha=0.7))
        self._trail_line = self._layer(self.trail, Line(**line, line_width=3.5, line_cap="round"), "trail")
        self._kind_mapper = LinearColorMapper(low=0, high=3, palette=["#000000"] * 4)
        self._dots = self._body(self.dots.source, "circle", "vehicles", self._kind_mapper)
        self._pupil_mapper = LinearColorMapper(low=0, high=3, palette=["#00000000"] * 4)
        pupil = {"field": "kind", "transform": self._pupil_mapper}
        self._pupils = self._layer(
            self.dots.source, Scatter(x="x", y="y", size=3, fill_color=pupil, line_color=None), "pupils"
        )
        # the status SELECTED: squares, so that they differ from all others without their colour, too
        self._marked_mapper = LinearColorMapper(low=0, high=3, palette=["#000000"] * 4)
        self._marked = self._body(self.marked.source, "square", "marked", self._marked_mapper)
        # a shape of its own, and no nose: where it was going does not matter any more
        crashed = self.crashed.source
        on_edge = Scatter(x="x", y="y", marker="square", angle=math.pi / 4)
        self._crashed = [self._layer(crashed, on_edge, "crashed")]
        self._cross = self._layer(crashed, Scatter(x="x", y="y", marker="x", size=7, line_width=2))
        self._halo = self._layer(self.chosen, Scatter(x="x", y="y", size=34, fill_alpha=0.22))
        self._chosen = self._body(self.chosen, "circle", "selected")

    def _layer(self, source: ColumnDataSource, glyph: Glyph, name: str | None = None) -> GlyphRenderer:
        """Add a layer on top.

        `plot.scatter` and the like would make six more glyphs for each, for what is selected, muted and so
        on, which took most of the time to open a page. Layers of one source share the view of all its rows.
        """
        return self.plot.add_glyph(
            source,
            glyph,
            name=name,
            view=self._views.get(source) or self._views.setdefault(source, CDSView()),
            selection_glyph=None,
            nonselection_glyph=None,
            muted_glyph=None,
        )

    def _body(
        self, source: ColumnDataSource, marker: str, name: str, mapper: LinearColorMapper | None = None
    ) -> list[GlyphRenderer]:
        """Add dots with a nose, of the colours in `mapper`; `resize` gives them their size."""
        look: dict[str, Any] = {"x": "x", "y": "y", "line_width": 1.2}
        if mapper is not None:
            look["fill_color"] = {"field": "kind", "transform": mapper}
        nose = Scatter(**look, angle="heading", marker="@nose", defs={"@nose": self._nose})
        return [self._layer(source, nose), self._layer(source, Scatter(**look, marker=marker), name)]

    def _tools(self) -> None:
        arguments = {"pointer": self.pointer, "tip": self.tip}
        touched = [self._dots[1], self._marked[1], self._crashed[0], self._chosen[1]]
        wheel = WheelZoomTool(speed=1 / 500)
        pan = PanTool()
        tap = TapTool(renderers=[*touched, self._hexes], callback=CustomJS(args=arguments, code=TAP))
        hover = HoverTool(renderers=touched, tooltips=None, callback=CustomJS(args=arguments, code=HOVER))
        self.plot.add_tools(pan, wheel, tap, hover)
        self.plot.toolbar.active_scroll = wheel
        self.plot.toolbar.active_drag = pan
        self.plot.toolbar.active_tap = tap

    def _on_size(self, attr: str, old: Any, new: int) -> None:
        wide, high = self._size_px
        self._size_px = (float(new), high) if attr == "inner_width" else (wide, float(new))
        self._view = None

    def _on_edge(self, attr: str, old: Any, new: Any) -> None:
        self._view = None

    @property
    def view(self) -> View:
        """What the window shows; kept, since to read what models hold costs more than to use it."""
        if self._view is None:
            self._view = self._seen()
        return self._view

    def _seen(self) -> View:
        west, south, east, north = (
            float(edge)  # type: ignore[arg-type] # ranges may hold dates, these never do
            for edge in (self._x.start, self._y.start, self._x.end, self._y.end)
        )
        return View(west, south, east, north, *self._size_px)

    def look_at(self, view: View) -> None:
        """Show a view."""
        self._x.update(start=view.west, end=view.east)
        self._y.update(start=view.south, end=view.north)

    def resize(self, zoom: float, hex_m: float | None) -> None:
        """Draw dots of a size that suits the zoom."""
        if (zoom, hex_m) == self._sized:
            return
        self._sized = (zoom, hex_m)
        size = round(float(np.interp(zoom, [3, 5, 8, 11], [7, 9, 11, 14])), 1)
        for renderers, factor in (
            (self._dots, 1.0),
            ([self._pupils], 0.35),
            (self._marked, 1.25),
            (self._crashed, 1.6),
            (self._chosen, 1.5),
        ):
            for renderer in renderers:
                if renderer.glyph.size != size * factor:
                    renderer.glyph.size = size * factor
        if hex_m is not None and self._hexes.glyph.size != hex_m:
            self._hexes.glyph.size = hex_m

    def paint(self, theme: shell.ThemeName) -> None:
        """Take on the colours of a theme."""
        rim, faded = RIM[theme], FADED[theme]

        def of(name: str) -> str:
            return shell.colour(theme, name)

        if self._ground is not None:
            self._ground.url = URL_TEMPLATE.format(theme=theme)
        self._kind_mapper.palette = [of("normal"), of("other"), *faded]
        self._pupil_mapper.palette = ["#00000000", PUPIL[theme]] * 2
        self._marked_mapper.palette = [*[of("selected")] * 2, *[FADED_GREEN[theme]] * 2]
        self._hex_mapper.palette = list(HEX_COLOURS[theme])
        self._hexes.glyph.line_color = rim
        self._count_mapper.palette = list(COUNT_COLOURS[theme])
        self._trail_line.glyph.line_color = of("selected")
        for renderer in (*self._dots, *self._marked, *self._crashed, *self._chosen):
            renderer.glyph.line_color = rim
        for renderer in self._crashed:
            renderer.glyph.fill_color = of("crashed")
        for renderer in (*self._chosen, self._halo):
            renderer.glyph.fill_color = of("selected")
        self._halo.glyph.line_color = of("selected")
        self._cross.glyph.line_color = rim
        self._trail_rim.glyph.line_color = rim
