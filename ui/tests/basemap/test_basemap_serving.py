"""Tiles over HTTP, and the cache behind them."""

import asyncio
from types import SimpleNamespace

import pytest
from bokeh.server.server import Server
from fleetflow_ui.basemap import ATTRIBUTION, URL_TEMPLATE, TileService, routes
from fleetflow_ui.basemap.cache import TileCache, fingerprint
from tornado.httpclient import AsyncHTTPClient
from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application


class TestTilesOverHttp(AsyncHTTPTestCase):
    def get_app(self):
        return Application(routes())

    def test_a_tile_has_its_type_tag_and_age(self):
        answer = self.fetch("/tiles/light/5/7/12.png")
        assert answer.code == 200
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Cache-Control"] == "public, max-age=86400"
        assert answer.body.startswith(b"\x89PNG")
        assert fingerprint() in answer.headers["Etag"]

    def test_a_tile_the_browser_has_is_not_sent_again(self):
        tag = self.fetch("/tiles/dark/5/7/12.png").headers["Etag"]
        again = self.fetch("/tiles/dark/5/7/12.png", headers={"If-None-Match": tag})
        assert (again.code, again.body) == (304, b"")
        other = self.fetch("/tiles/light/5/7/12.png", headers={"If-None-Match": tag})
        assert other.code == 200

    def test_what_is_no_tile_is_not_found(self):
        for path in ("light/1/2/0", "light/15/0/0", "light/4/16/0", "dark/4/0/16", "sepia/4/0/0"):
            assert self.fetch(f"/tiles/{path}.png").code == 404
        assert b"zoom 15" in self.fetch("/tiles/light/15/0/0.png").body


class CountingRenderer:
    def __init__(self):
        self.drawn = []

    def render(self, z, x, y, theme, size):
        self.drawn.append((theme, z, x, y))
        return f"{theme} {z} {x} {y} {size}".encode()


def test_a_tile_asked_for_many_times_at_once_is_drawn_once():
    renderer = CountingRenderer()
    service = TileService(TileCache(), renderer=renderer)

    async def ask():
        return await asyncio.gather(*(service.tile("dark", 4, 3, 6) for _ in range(20)))

    assert asyncio.run(ask()) == [b"dark 4 3 6 512"] * 20
    assert renderer.drawn == [("dark", 4, 3, 6)]
    service.close()


def test_a_tile_that_fails_is_tried_again():
    def fail(*_):
        raise RuntimeError("no")

    service = TileService(TileCache(), renderer=SimpleNamespace(render=fail))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            asyncio.run(service.tile("dark", 4, 3, 6))
    service.close()


def test_memory_holds_no_more_than_its_bytes_and_drops_the_oldest():
    cache = TileCache(memory_bytes=100)
    for i in range(4):
        cache.put(f"{i}", bytes(30))
        cache.get("0")
    assert cache.used_bytes <= 100
    assert cache.get("0") is not None
    assert cache.get("1") is None
    cache.put("large", bytes(101))
    assert cache.used_bytes <= 100


def test_replacing_a_tile_counts_it_once():
    cache = TileCache(memory_bytes=100)
    for _ in range(10):
        cache.put("a", bytes(60))
    assert cache.used_bytes == 60


def test_the_folder_keeps_tiles_over_a_restart_for_the_same_version_only(tmp_path):
    TileCache(folder=tmp_path, version="one").put("light/4/3/6.png", b"tile")
    assert TileCache(folder=tmp_path, version="one").load("light/4/3/6.png") == b"tile"
    assert TileCache(folder=tmp_path, version="two").load("light/4/3/6.png") is None
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = TileCache(folder=blocked, version="one")
    cache.put("light/4/3/6.png", b"tile")
    assert cache.load("light/4/3/6.png") == b"tile"


def test_the_address_is_what_bokeh_fills_in():
    assert URL_TEMPLATE.format(theme="dark") == "/tiles/dark/{Z}/{X}/{Y}.png"
    assert "Natural Earth" in ATTRIBUTION


def test_a_bokeh_server_serves_tiles_beside_its_pages():
    server = Server({}, port=0, address="127.0.0.1", extra_patterns=routes())
    server.start()

    async def fetch():
        return await AsyncHTTPClient().fetch(f"http://127.0.0.1:{server.port}/tiles/dark/4/3/6.png")

    try:
        assert server.io_loop.run_sync(fetch, timeout=10).headers["Content-Type"] == "image/png"
    finally:
        server.stop()
