"""Serve tiles from the web server that serves the dashboard, without holding up its event loop.

Tiles hold nothing of the fleet, so they need no sign-in of their own.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tornado.web import RequestHandler

from fleetflow_ui.basemap.cache import DEFAULT_MEMORY_BYTES, TileCache, fingerprint
from fleetflow_ui.basemap.theme import ThemeName
from fleetflow_ui.basemap.tiles import Renderer, TileRangeError, check_tile, default_renderer

PATTERN = r"/tiles/(light|dark)/(\d{1,2})/(\d{1,6})/(\d{1,6})\.png"
URL_TEMPLATE = "/tiles/{theme}/{{Z}}/{{X}}/{{Y}}.png"
"""Fill in the theme with ``str.format``; the rest is what Bokeh's ``WMTSTileSource`` fills in."""
TILE_SIZE = 512
MAX_AGE_S = 24 * 3600


class TileService:
    """Draws each tile once: from the cache, else in a worker thread that all who ask for it share."""

    def __init__(self, cache: TileCache, *, renderer: Renderer | None = None, workers: int = 1) -> None:
        self.version = fingerprint()
        self._cache = cache
        self._renderer = renderer
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="basemap")
        self._drawing: dict[str, asyncio.Future[bytes]] = {}

    async def tile(self, theme: ThemeName, z: int, x: int, y: int) -> bytes:
        """One tile as PNG; raises `TileRangeError` when there is no such tile."""
        check_tile(z, x, y)
        key = f"{theme}/{z}/{x}/{y}.png"
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        work = self._drawing.get(key)
        if work is None:
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._pool, self._load_or_draw, key, theme, z, x, y)
            self._drawing[key] = work
            work.add_done_callback(lambda _: self._drawing.pop(key, None))
        return await asyncio.shield(work)

    def _load_or_draw(self, key: str, theme: ThemeName, z: int, x: int, y: int) -> bytes:
        tile = self._cache.load(key)
        if tile is None:
            tile = (self._renderer or default_renderer()).render(z, x, y, theme, TILE_SIZE)
            self._cache.put(key, tile)
        return tile

    def close(self) -> None:
        """Stop the workers; a tile being drawn is finished first."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class TileHandler(RequestHandler):
    """``GET /tiles/THEME/Z/X/Y.png``: 200 with a PNG, 304 when the browser has it, 404 outside the world."""

    def initialize(self, service: TileService) -> None:
        """Take the service shared by all requests."""
        self._service = service

    def compute_etag(self) -> str:
        """A tag known before drawing: a tile depends on its address and on the version alone."""
        return f'"{self._service.version}-{self.request.path.removeprefix("/").replace("/", "-")}"'

    async def get(self, theme: ThemeName, z: str, x: str, y: str) -> None:
        """Answer with one tile."""
        try:
            check_tile(int(z), int(x), int(y))
        except TileRangeError as error:
            self.set_status(404)
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish(f"{error}\n")
            return
        self.set_header("Cache-Control", f"public, max-age={MAX_AGE_S}")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            return
        tile = await self._service.tile(theme, int(z), int(x), int(y))
        self.set_header("Content-Type", "image/png")
        self.finish(tile)


def routes(
    *, memory_bytes: int = DEFAULT_MEMORY_BYTES, folder: Path | None = None, workers: int = 1
) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """The tiles' entry for ``extra_patterns`` of a Bokeh server, or for a Tornado application.

    `folder` keeps drawn tiles over restarts. One worker is enough: drawing holds Python's lock, so more of
    them make a tile no faster and the page slower.
    """
    cache = TileCache(memory_bytes, folder, fingerprint())
    return [(PATTERN, TileHandler, {"service": TileService(cache, workers=workers)})]
