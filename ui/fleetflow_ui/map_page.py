"""The page /dashboard: the fleet on a map."""

from __future__ import annotations

import time
from html import escape

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    Div,
    HoverTool,
    PanTool,
    Range1d,
    ResetTool,
    WheelZoomTool,
    WMTSTileSource,
)
from bokeh.plotting import figure

from fleetflow_ui import shell
from fleetflow_ui.basemap import ATTRIBUTION, TILE_SIZE, URL_TEMPLATE
from fleetflow_ui.context import Context
from fleetflow_ui.snapshot import EARTH_RADIUS_M, Fleet, mercator

SOUTH_WEST = (28.5, -104.5)
NORTH_EAST = (45.5, -79.5)
"""The central United States, in degrees."""
PALETTE = {
    "light": {
        "normal": "#1f6feb",
        "crashed": "#d1242f",
        "other": "#bf8700",
        "line": "#ffffff",
        "page": "#ffffff",
    },
    "dark": {
        "normal": "#58a6ff",
        "crashed": "#ff7b72",
        "other": "#e3b341",
        "line": "#0d1117",
        "page": "#0d1117",
    },
}
INK = {"light": "#1f2328", "dark": "#e6edf3"}


class MapPage:
    """One session's map: built once, `update` changes columns and words."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._version = -1
        self._theme = "dark" if context.settings.theme == "dark" else "light"
        self._colours = PALETTE[self._theme]
        self.source = ColumnDataSource({**context.reader.fleet.columns, "fill": [], "alpha": []})
        self.headline = Div(sizing_mode="stretch_width", margin=(8, 14, 4, 14))
        self.root = column(self.headline, self._figure(), sizing_mode="stretch_both")

    def _figure(self) -> figure:
        west, south = mercator(*SOUTH_WEST)
        east, north = mercator(*NORTH_EAST)
        hover = HoverTool(
            tooltips=[("VIN", "@vin"), ("time", "@when"), ("source", "@source"), ("codes", "@codes")],
        )
        wheel = WheelZoomTool()
        plot = figure(
            name="map",
            x_range=Range1d(west, east),
            y_range=Range1d(south, north),
            match_aspect=True,
            tools=[PanTool(), wheel, ResetTool(), hover],
            active_scroll=wheel,
            toolbar_location="right",
            sizing_mode="stretch_both",
            output_backend="canvas",
            background_fill_color=self._colours["page"],
            border_fill_color=self._colours["page"],
            outline_line_color=None,
        )
        plot.axis.visible = False
        plot.grid.visible = False
        plot.toolbar.logo = None
        if self._context.tiles:
            url = URL_TEMPLATE.format(theme=self._theme)
            # Bokeh's default resolution is that of tiles of 256 pixels
            resolution = 2 * np.pi * EARTH_RADIUS_M / TILE_SIZE
            ground = WMTSTileSource(
                url=url, tile_size=TILE_SIZE, initial_resolution=resolution, attribution=ATTRIBUTION
            )
            plot.add_tile(ground, level="image")
        if self._context.settings.tiles_url:
            plot.add_tile(WMTSTileSource(url=self._context.settings.tiles_url))
        dots = plot.scatter(
            "x",
            "y",
            source=self.source,
            size=11,
            fill_color="fill",
            fill_alpha="alpha",
            line_color=self._colours["line"],
            line_width=1.5,
            line_alpha="alpha",
            name="vehicles",
        )
        hover.renderers = [dots]
        return plot

    def update(self) -> None:
        """Show the newest state of the fleet; sends nothing but words when no vehicle has changed."""
        fleet = self._context.reader.fleet
        now = time.time()
        if fleet.version != self._version:
            self._version = fleet.version
            age = now - fleet.times
            colour = {"NORMAL": self._colours["normal"], "CRASHED": self._colours["crashed"]}
            self.source.data = {
                **fleet.columns,
                "fill": [colour.get(status, self._colours["other"]) for status in fleet.columns["status"]],
                "alpha": np.where(age > self._context.settings.stale_s, 0.35, 0.95).astype(np.float32),
            }
        words = self.words(fleet, now)
        if self.headline.text != words:
            self.headline.text = words

    def words(self, fleet: Fleet, now: float) -> str:
        """Return the line above the map: how many vehicles, and why there are none or no news."""
        if fleet.problem:
            said = f"The vehicles map cannot be read: {escape(fleet.problem)}"
        elif not len(fleet):
            said = (
                "No vehicle yet. The map fills when a job runs: <code>fleetflow run</code>,"
                " or <code>fleetflow demo</code>."
            )
        else:
            quiet_s = now - fleet.changed_at
            said = f"{len(fleet):,} vehicles"
            if quiet_s > 10 * self._context.settings.refresh_s:
                said += f" &middot; no news for {quiet_s:,.0f} s: has the job stopped?"
        ink = INK[self._theme]
        return (
            f'<div style="display:flex;gap:18px;align-items:baseline;color:{ink}">'
            f'<span id="said" style="margin-left:auto">{said}</span></div>'
        )


def build(document: Document, context: Context) -> None:
    """Fill a document for one session."""
    frame = shell.dress(document, context, "dashboard", "Map")
    page = MapPage(context)
    document.add_root(page.root)
    frame.every(context.settings.refresh_s, page.update)
