"""Draw the tiles of the base map: PNG pictures of the XYZ scheme in Web Mercator, for two themes.

Areas and lines are drawn at three times the size and reduced, names on top at the final size.
"""

from __future__ import annotations

import io
from functools import cache, lru_cache

from PIL import Image, ImageDraw

from fleetflow_ui.basemap.geometry import Points, clip_ring
from fleetflow_ui.basemap.labels import DOT_RADIUS_PX, Box, Fonts, Label, LabelIndex, place_labels
from fleetflow_ui.basemap.shapes import FULL_ZOOM, Area, Line, Paths, Shapes, read_shapes
from fleetflow_ui.basemap.theme import THEMES, Theme, ThemeName, quantise

MIN_ZOOM, MAX_ZOOM = 0, 14
SIZES = (256, 512, 1024)

_SUPERSAMPLE = 3
_MARGIN_PX = 12


class TileRangeError(ValueError):
    """The tile asked for does not exist."""


def check_tile(z: int, x: int, y: int) -> None:
    """Raise `TileRangeError` for a tile outside the zooms or the world."""
    if not MIN_ZOOM <= z <= MAX_ZOOM:
        raise TileRangeError(f"zoom {z} is outside {MIN_ZOOM} to {MAX_ZOOM}")
    if not (0 <= x < 1 << z and 0 <= y < 1 << z):
        raise TileRangeError(f"tile {x}, {y} is outside 0 to {(1 << z) - 1} of zoom {z}")


def line_widths(zoom: int) -> dict[Line, float]:
    """Width in pixels of each kind of line shown at a zoom, in drawing order."""
    widths: dict[Line, float] = {}
    if zoom >= 6:
        widths[Line.COUNTY] = 1.0 if zoom < 9 else 1.5
    if zoom >= 3:
        widths[Line.STATE] = 1.0 if zoom < 7 else 1.5
    widths[Line.COUNTRY] = 1.0 if zoom < 4 else 1.5 if zoom < 7 else 2.0
    if zoom >= 5:
        widths[Line.ROAD] = {5: 1.4, 6: 2.0, 7: 2.8, 8: 3.6}.get(zoom, 4.5)
    return widths


class Renderer:
    """Draws tiles of one set of shapes; may be used by several threads at once."""

    def __init__(self, shapes: Shapes | None = None) -> None:
        self._shapes = shapes or read_shapes()
        self._fonts = Fonts()
        self._areas = lru_cache(maxsize=None)(self._areas_at)
        self._lines = lru_cache(maxsize=None)(self._lines_at)
        self.labels = lru_cache(maxsize=None)(self._labels_at)

    def _areas_at(self, zoom: int) -> Paths:
        return self._shapes.areas.at_zoom(zoom, least=3)

    def _lines_at(self, zoom: int, kind: Line) -> Paths:
        return self._shapes.lines.of_kind(kind).at_zoom(zoom, least=2)

    def _labels_at(self, zoom: int) -> LabelIndex:
        return LabelIndex(place_labels(dict(self._shapes.places), zoom, self._fonts), 512 << zoom)

    def render(self, z: int, x: int, y: int, theme: ThemeName = "light", size: int = 512) -> bytes:
        """One tile as PNG; see `render_tile`."""
        check_tile(z, x, y)
        if size not in SIZES:
            raise ValueError(f"tile size {size} is not one of {SIZES}")
        zoom = z + {256: -1, 512: 0, 1024: 1}[size]
        image = self.draw(zoom, (x * size, y * size, (x + 1) * size, (y + 1) * size), THEMES[theme])
        out = io.BytesIO()
        quantise(image, THEMES[theme]).save(out, "PNG", compress_level=9)
        return out.getvalue()

    def draw(self, zoom: int, box: Box, theme: Theme) -> Image.Image:
        """Any rectangle of the world at a zoom, in world pixels, as an RGB image."""
        scale = _SUPERSAMPLE
        world = 512 << zoom
        left, top, right, bottom = box
        image = Image.new("RGB", ((right - left) * scale, (bottom - top) * scale), theme.water)
        draw = ImageDraw.Draw(image)
        low = ((left - _MARGIN_PX) / world, (top - _MARGIN_PX) / world)
        high = ((right + _MARGIN_PX) / world, (bottom + _MARGIN_PX) / world)

        def pixels(points: Points) -> list[float]:
            flat: list[float] = ((points * world - (left, top)) * scale).ravel().tolist()
            return flat

        fills = {Area.WATER: theme.water, Area.HOME: theme.home, Area.ABROAD: theme.abroad}
        for kind, ring in self._areas(min(zoom, FULL_ZOOM)).touching(low, high):
            cut = clip_ring(ring, low, high)
            if len(cut) > 2:
                draw.polygon(pixels(cut), fill=fills[Area(kind)], outline=theme.coast)
        colours = {Line.COUNTY: theme.county, Line.STATE: theme.state, Line.COUNTRY: theme.country}
        for line, line_width in line_widths(zoom).items():
            runs = [pixels(run) for run in self._lines(min(zoom, FULL_ZOOM), line).runs(low, high)]
            if line is Line.ROAD:
                casing = round((line_width + 1.2) * scale)
                for run in runs:
                    draw.line(run, fill=theme.road_casing, width=casing, joint="curve")
            for run in runs:
                wide = round(line_width * scale)
                draw.line(
                    run, fill=colours.get(line, theme.road), width=wide, joint="curve" if wide > 3 else None
                )
        image = image.reduce(scale)
        for shift, label in self.labels(zoom).within(box):
            self._draw_label(image, label, shift - left, -top, theme)
        return image

    def _draw_label(self, image: Image.Image, label: Label, dx: int, dy: int, theme: Theme) -> None:
        halo, ink = self._fonts.masks(label.text, label.style)
        corner = (label.x - label.style.halo_px + dx, label.y - label.style.halo_px + dy)
        if label.style.halo_px:
            image.paste(theme.halo, corner, halo)
        if label.dot is not None:
            dot = _dot(theme)
            image.paste(dot, (label.dot[0] + dx - dot.width // 2, label.dot[1] + dy - dot.height // 2), dot)
        image.paste(getattr(theme, label.style.colour), corner, ink)


@cache
def _dot(theme: Theme) -> Image.Image:
    side, fine = 2 * DOT_RADIUS_PX + 3, 8
    image = Image.new("RGBA", (side * fine, side * fine))
    draw = ImageDraw.Draw(image)
    middle = side * fine / 2
    for radius, colour in ((3.0, theme.dot), (1.7, theme.dot_fill)):
        reach = radius * fine
        draw.ellipse((middle - reach, middle - reach, middle + reach, middle + reach), fill=colour)
    return image.reduce(fine)


@cache
def default_renderer() -> Renderer:
    """The renderer of the shapes shipped with the package, loaded at the first use."""
    return Renderer()


def render_tile(z: int, x: int, y: int, theme: ThemeName = "light", size: int = 512) -> bytes:
    """One tile of the base map as a palette PNG of `size` by `size` pixels.

    Letters and lines are as large at any size: a tile of 256 px shows what a quarter of the 512 px tile
    of the zoom below shows. The same arguments give the same bytes. Raises `TileRangeError` for a tile
    outside zooms 0 to 14 or outside the world.
    """
    return default_renderer().render(z, x, y, theme, size)
