"""Tiles show the right ground, go on over their seams, and have no names that meet."""

import io
import zlib

import numpy as np
import pytest
from fleetflow_ui.basemap import TileRangeError, render_tile
from fleetflow_ui.basemap.geometry import project
from fleetflow_ui.basemap.labels import Label
from fleetflow_ui.basemap.shapes import DATA, Line, Shapes, pack_paths, unpack_paths
from fleetflow_ui.basemap.theme import THEMES, palette, quantise, rgb
from fleetflow_ui.basemap.tiles import Renderer, default_renderer
from PIL import Image


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return default_renderer()


def ground_at(lon: float, lat: float, z: int, theme: str) -> tuple[int, int, int]:
    """The commonest colour near a place, whatever thin line runs over it."""
    fx, fy = project([lon], [lat])[0] * (1 << z)
    tile = Image.open(io.BytesIO(render_tile(z, int(fx), int(fy), theme))).convert("RGB")
    column, row = int(fx % 1 * 512), int(fy % 1 * 512)
    near = tile.crop((column - 6, row - 6, column + 7, row + 7))
    return max(near.getcolors())[1]


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_a_tile_is_a_palette_png_of_the_size_asked_for(size):
    image = Image.open(io.BytesIO(render_tile(4, 3, 6, "light", size)))
    assert image.format == "PNG"
    assert image.mode == "P"
    assert image.size == (size, size)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("lon", "lat", "ground"),
    [
        (-98.9, 38.2, "home"),
        (-119.3, 42.7, "home"),
        (-156.0, 70.3, "home"),
        (-101.0, 53.9, "abroad"),
        (-102.0, 25.0, "abroad"),
        (-87.1, 43.6, "water"),
        (-91.0, 27.0, "water"),
        (-72.0, 37.0, "water"),
        (-112.55, 41.2, "water"),
    ],
    ids=[
        "Kansas",
        "Oregon",
        "Alaska",
        "Manitoba",
        "Mexico",
        "LakeMichigan",
        "Gulf",
        "Atlantic",
        "GreatSaltLake",
    ],
)
def test_known_places_have_the_colour_of_their_ground(theme, lon, lat, ground):
    for z in (6, 9):
        assert ground_at(lon, lat, z, theme) == rgb(getattr(THEMES[theme], ground))


def test_dark_differs_from_light_everywhere():
    light, dark = (
        np.asarray(Image.open(io.BytesIO(render_tile(5, 7, 12, theme))).convert("RGB"), dtype=int).sum(axis=2)
        for theme in ("light", "dark")
    )
    assert (light > dark).mean() > 0.9


def test_the_same_tile_has_the_same_bytes_from_another_renderer(renderer):
    assert Renderer().render(6, 15, 24) == renderer.render(6, 15, 24)


@pytest.mark.parametrize("z", [4, 6, 8])
def test_two_neighbours_equal_one_wide_picture(renderer, z):
    theme = THEMES["light"]
    x, y = int(0.245 * (1 << z)), int(0.375 * (1 << z))
    tiles = [renderer.render(z, x + i, y, "light") for i in (0, 1)]
    pair = np.concatenate([np.asarray(Image.open(io.BytesIO(t)).convert("RGB")) for t in tiles], axis=1)
    wide = renderer.draw(z, (x * 512, y * 512, (x + 2) * 512, (y + 1) * 512), theme)
    difference = np.abs(pair.astype(int) - np.asarray(quantise(wide, theme).convert("RGB"))).max(axis=2)
    assert (difference > 8).mean() < 0.002, "lines may round by a sub-pixel, names may not move"
    assert (difference[:, 480:544] > 8).mean() < 0.005


def test_a_name_over_a_seam_is_drawn_in_both_tiles(renderer):
    labels = all_labels(renderer, 6)
    crossing = [n for n in labels if n.dot and n.box[0] // 512 != (n.box[2] - 1) // 512]
    assert crossing
    for name in crossing:
        row = name.box[1] // 512
        for column in (name.box[0] // 512, (name.box[2] - 1) // 512):
            box = (column * 512, row * 512, column * 512 + 512, row * 512 + 512)
            assert (0, name) in renderer.labels(6).within(box)


def all_labels(renderer: Renderer, zoom: int) -> set[Label]:
    world = 512 << zoom
    return {label for _, label in renderer.labels(zoom).within((0, 0, world, world))}


@pytest.mark.parametrize("zoom", [3, 5, 8])
def test_no_two_names_meet(renderer, zoom):
    boxes = np.array(sorted(label.box for label in all_labels(renderer, zoom)))
    assert len(boxes) > 50
    for i, box in enumerate(boxes):
        rest = boxes[i + 1 :]
        meets = (rest[:, 0] < box[2]) & (box[0] < rest[:, 2]) & (rest[:, 1] < box[3]) & (box[1] < rest[:, 3])
        assert not meets.any()


def test_large_cities_are_named_before_small_ones(renderer):
    at_four = {label.text for label in all_labels(renderer, 4)}
    assert {"Chicago", "Denver", "Atlanta", "Dallas"} <= at_four
    assert "Salina" not in at_four
    assert "Salina" in {label.text for label in all_labels(renderer, 7)}


def test_states_are_named_at_the_zooms_of_the_country(renderer):
    for zoom in (4, 5, 6):
        assert {"KANSAS", "COLORADO"} <= {label.text for label in all_labels(renderer, zoom)}


def test_a_name_over_the_date_line_is_drawn_at_both_ends_of_the_world(renderer):
    index = renderer.labels(4)
    world = 512 << 4
    shifts = {shift for shift, _ in index.within((-64, 0, 64, world))}
    assert shifts & {world, -world}


@pytest.mark.parametrize(
    ("z", "x", "y"), [(1, 2, 0), (15, 0, 0), (4, 16, 0), (4, 0, 16), (4, -1, 0), (2, 0, -1)]
)
def test_a_tile_outside_the_world_is_refused(z, x, y):
    with pytest.raises(TileRangeError):
        render_tile(z, x, y)


def test_a_size_that_is_not_served_is_refused():
    with pytest.raises(ValueError, match="tile size 300"):
        render_tile(4, 3, 6, "light", 300)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_flat_colours_survive_the_palette(theme):
    flat = {rgb(getattr(theme, name)) for name in type(theme).__dataclass_fields__}
    image = Image.fromarray(np.array([sorted(flat)], dtype=np.uint8))
    assert set(quantise(image, theme).convert("RGB").get_flattened_data()) == flat
    assert len(palette(theme)) <= 256


def test_the_data_is_small_enough_to_ship():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 1_000_000


def test_tiles_are_small_enough_to_send(renderer):
    sizes = [len(renderer.render(5, x, 12)) for x in (6, 7, 8, 9)]
    assert max(sizes) < 55_000


@pytest.mark.parametrize("corner", [(2, 0, 0), (2, 3, 3), (14, 0, 0), (14, 16383, 16383), (14, 4096, 6144)])
def test_the_ends_of_the_world_are_drawn(corner):
    assert zlib.crc32(render_tile(*corner))


def test_roads_appear_from_zoom_five():
    road = project([-104, -94], [39, 39])
    empty = pack_paths([], [], [])
    lines = pack_paths([road], [Line.ROAD], [np.array([5, 5])])
    renderer = Renderer(
        Shapes(
            unpack_paths(empty),
            unpack_paths(lines),
            dict.fromkeys(("city", "state", "country", "water", "county"), ()),
        )
    )
    for zoom, seen in ((4, False), (5, True), (9, True)):
        x, y = (int(part * (512 << zoom)) for part in road.mean(axis=0))
        image = renderer.draw(zoom, (x - 20, y - 20, x + 20, y + 20), THEMES["light"])
        assert (image.getpixel((20, 20)) == rgb(THEMES["light"].road)) is seen
