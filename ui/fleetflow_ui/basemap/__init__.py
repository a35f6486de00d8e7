"""The base map under the vehicles: tiles drawn on the server, so that the map works without internet.

`routes` adds ``/tiles/THEME/Z/X/Y.png`` to the server; `render_tile` draws one tile. The shapes come with
the package, see ``data/ATTRIBUTION.md``.
"""

from fleetflow_ui.basemap.handler import TILE_SIZE, URL_TEMPLATE, TileService, routes
from fleetflow_ui.basemap.tiles import MAX_ZOOM, MIN_ZOOM, TileRangeError, render_tile

ATTRIBUTION = "Natural Earth · U.S. Census"
"""What the map must show in a corner."""

__all__ = [
    "ATTRIBUTION",
    "MAX_ZOOM",
    "MIN_ZOOM",
    "TILE_SIZE",
    "URL_TEMPLATE",
    "TileRangeError",
    "TileService",
    "render_tile",
    "routes",
]
