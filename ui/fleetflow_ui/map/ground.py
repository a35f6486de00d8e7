"""The map's ground where no server offers its tiles, as under `bokeh serve`: pictures inside the page."""

from __future__ import annotations

import base64
import math
from concurrent.futures import ThreadPoolExecutor

from bokeh.document import Document
from bokeh.models import ColumnDataSource

from fleetflow_ui.basemap import MAX_ZOOM, MIN_ZOOM, render_tile
from fleetflow_ui.geo import WORLD_M, View
from fleetflow_ui.map.figure import MapFigure
from fleetflow_ui.shell import ThemeName

PAINTERS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ground")
MOST_TILES = 40

Tile = tuple[int, int, int]


class Ground:
    """Draws the tiles in view beside the event loop and sends each once per session."""

    def __init__(self, document: Document, figure: MapFigure, theme: ThemeName) -> None:
        self._document, self._theme = document, theme
        self._asked: dict[Tile, None] = {}
        self.source = ColumnDataSource({"x": [], "y": [], "side": [], "url": [], "zoom": []})
        pictures = figure.plot.image_url(
            url="url", x="x", y="y", w="side", h="side", anchor="top_left", source=self.source
        )
        pictures.level = "image"
        pictures.name = "ground"

    def show(self, view: View) -> None:
        """Have the tiles drawn that a view needs and the browser does not have."""
        for tile in needed(view):
            if tile not in self._asked:
                self._asked[tile] = None
                PAINTERS.submit(self._draw, tile, self._theme)

    def paint(self, theme: ThemeName, view: View) -> None:
        """Begin anew in the colours of a theme."""
        self._theme = theme
        self._asked.clear()
        self.source.data = {name: [] for name in self.source.data}
        self.show(view)

    def _draw(self, tile: Tile, theme: ThemeName) -> None:
        picture = base64.b64encode(render_tile(*tile, theme)).decode()
        self._document.add_next_tick_callback(lambda: self._add(tile, theme, picture))

    def _add(self, tile: Tile, theme: ThemeName, picture: str) -> None:
        if theme != self._theme:
            return
        z, x, y = tile
        side = WORLD_M / 2**z
        new = {
            "x": x * side - WORLD_M / 2,
            "y": WORLD_M / 2 - y * side,
            "side": side,
            "url": f"data:image/png;base64,{picture}",
            "zoom": z,
        }
        self.source.stream({name: [value] for name, value in new.items()}, rollover=3 * MOST_TILES)


def needed(view: View) -> list[Tile]:
    """Return the tiles of the zoom whose pictures are next to their own size, from the middle outwards."""
    z = min(MAX_ZOOM, max(MIN_ZOOM, math.ceil(view.zoom - 0.45)))
    side, last = WORLD_M / 2**z, 2**z - 1

    def index(metres: float) -> int:
        return int(min(last, max(0, math.floor(metres / side))))

    columns = range(index(view.west + WORLD_M / 2), index(view.east + WORLD_M / 2) + 1)
    rows = range(index(WORLD_M / 2 - view.north), index(WORLD_M / 2 - view.south) + 1)
    middle_x, middle_y = view.middle
    tiles = [(z, x, y) for x in columns for y in rows]
    tiles.sort(
        key=lambda tile: (
            abs((tile[1] + 0.5) * side - WORLD_M / 2 - middle_x)
            + abs(WORLD_M / 2 - (tile[2] + 0.5) * side - middle_y)
        )
    )
    return tiles[:MOST_TILES]
