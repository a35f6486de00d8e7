"""Where names stand on the map, decided once for each zoom for the whole world.

Names are placed in world pixels, the most important first, each where it meets none placed before. A tile
then draws the names that reach into it. So a name goes on across the edge of a tile, whichever
tile is drawn first, and no tile shows what its neighbour does not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fleetflow_ui.basemap.shapes import DATA, Place

Box = tuple[int, int, int, int]
"""West, north, east and south in world pixels; east and south are outside."""

_CELL_PX = 256
DOT_RADIUS_PX = 3

CITY_POPULATION = {0: 1.8e7, 1: 9e6, 2: 4e6, 3: 1.5e6, 4: 4.5e5, 5: 1.4e5, 6: 4e4, 7: 8e3}
"""The smallest city shown at a zoom; from zoom 8 all are."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a name is set; `colour` names a field of the theme."""

    font: str
    size_px: int
    colour: str
    spacing_px: float = 0.0
    halo_px: int = 2


@dataclass(frozen=True, slots=True)
class Label:
    """One placed name: the corner of its picture, the ground it covers, and the city's dot if any."""

    text: str
    style: Style
    x: int
    y: int
    box: Box
    dot: tuple[int, int] | None = None


class Fonts:
    """Pictures of names, as masks, of the fonts shipped with the map."""

    def __init__(self, kept: int = 2048) -> None:
        self._font = lru_cache(maxsize=64)(self._load)
        self.masks = lru_cache(maxsize=kept)(self._draw)

    @staticmethod
    def _load(name: str, size_px: int) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(DATA / f"{name}.ttf"), size_px, layout_engine=ImageFont.Layout.BASIC)

    def size(self, text: str, style: Style) -> tuple[int, int]:
        """Width and height of a name without its halo, in pixels."""
        font = self._font(style.font, style.size_px)
        width = font.getlength(text) + style.spacing_px * (len(text) - 1)
        return int(np.ceil(width)), round(style.size_px * 1.15)

    def _draw(self, text: str, style: Style) -> tuple[Image.Image, Image.Image]:
        font = self._font(style.font, style.size_px)
        width, height = self.size(text, style)
        halo = style.halo_px
        images = []
        for stroke in (halo, 0):
            image = Image.new("L", (width + 2 * halo, height + 2 * halo))
            draw = ImageDraw.Draw(image)
            baseline = halo + round(style.size_px * 0.92)
            if style.spacing_px:
                x = float(halo)
                for letter in text:
                    draw.text((x, baseline), letter, fill=255, font=font, anchor="ls", stroke_width=stroke)
                    x += font.getlength(letter) + style.spacing_px
            else:
                draw.text((halo, baseline), text, fill=255, font=font, anchor="ls", stroke_width=stroke)
            images.append(image)
        return images[0], images[1]


class _Occupied:
    """The ground already taken, in cells of a grid."""

    def __init__(self) -> None:
        self._cells: defaultdict[tuple[int, int], list[Box]] = defaultdict(list)

    def meets(self, box: Box) -> bool:
        return any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for cell in cells(box)
            for other in self._cells.get(cell, ())
        )

    def take(self, box: Box) -> None:
        for cell in cells(box):
            self._cells[cell].append(box)


def cells(box: Box, size: int = _CELL_PX) -> Iterator[tuple[int, int]]:
    """The cells of a square grid that a box reaches into."""
    for column in range(box[0] // size, (box[2] - 1) // size + 1):
        for row in range(box[1] // size, (box[3] - 1) // size + 1):
            yield column, row


def _grown(box: Box, x: int, y: int) -> Box:
    return box[0] - x, box[1] - y, box[2] + x, box[3] + y


def city_style(population: float, zoom: int) -> Style:
    """Larger letters for larger cities, growing a little with the zoom."""
    step = sum(population >= limit for limit in (60_000, 250_000, 900_000, 3_000_000))
    size = 10 + step + (zoom >= 6) + (zoom >= 8)
    return Style("medium" if step >= 3 or (zoom >= 7 and step >= 2) else "regular", size, "city")


def _candidates(place: Place, zoom: int, fonts: Fonts) -> Iterator[Label]:
    """A city's name right of its dot, else left, above, below."""
    style = city_style(place.weight, zoom)
    world = 512 << zoom
    x, y = round(place.x * world), round(place.y * world)
    width, height = fonts.size(place.name, style)
    gap = DOT_RADIUS_PX + 3
    for left, top in (
        (x + gap, y - height // 2),
        (x - gap - width, y - height // 2),
        (x - width // 2, y - gap - height + 2),
        (x - width // 2, y + gap - 2),
    ):
        dot = DOT_RADIUS_PX + 1
        box = (
            min(left, x - dot),
            min(top, y - dot),
            max(left + width, x + dot),
            max(top + height, y + dot),
        )
        yield Label(place.name, style, left, top, box, (x, y))


def _centred(text: str, place: Place, zoom: int, style: Style, fonts: Fonts) -> Label:
    world = 512 << zoom
    width, height = fonts.size(text, style)
    left, top = round(place.x * world - width / 2), round(place.y * world - height / 2)
    return Label(text, style, left, top, (left, top, left + width, top + height))


def _area_labels(sort: str, place: Place, zoom: int, fonts: Fonts) -> Iterator[Label]:
    """The name of a state, country, water or county where the area is wide enough for it.

    A state may give several answers, best first: moved off its middle, then its short name.
    """
    room = place.weight * (512 << zoom)
    if sort == "state":
        size = {3: 11, 4: 11, 5: 13, 6: 15}.get(zoom, 16)
        style = Style("regular", size, "state_name", spacing_px=size * 0.22)
        names, share = [place.name.upper(), place.short], 0.92
    elif sort == "country":
        size = 11 if room < 160 else 13 if room < 420 else 15
        style = Style("medium", size, "country_name", spacing_px=size * 0.12)
        names, share = [place.name], 1.0
    elif sort == "water":
        size = 11 if room < 260 else 13 if room < 700 else 15
        style = Style("italic", size, "water_name", spacing_px=size * 0.06, halo_px=0)
        names, share = [place.name], 0.9
    else:
        size = 10 if zoom < 9 else 11 if zoom < 11 else 12
        style = Style("regular", size, "county_name", spacing_px=size * 0.1)
        names, share = [place.name.upper()], 0.8
    reach = place.radius * (512 << zoom)
    for name in names:
        if name and fonts.size(name, style)[0] <= share * room:
            label = _centred(name, place, zoom, style, fonts)
            for across, down in MOVES if reach else MOVES[:1]:
                yield _moved(label, round(across * reach), round(down * reach))


MOVES = ((0, 0), (0, -0.3), (0, 0.3), (0, -0.6), (0, 0.6), (-0.3, -0.3), (0.3, 0.3), (0.3, -0.3), (-0.3, 0.3))
"""How far a state's name may leave its middle, in parts of the state's inner radius."""


def _moved(label: Label, dx: int, dy: int) -> Label:
    west, north, east, south = label.box
    box = (west + dx, north + dy, east + dx, south + dy)
    return replace(label, x=label.x + dx, y=label.y + dy, box=box)


ZOOMS = {"country": range(1, 6), "state": range(4, 8), "water": range(2, 11), "county": range(8, 20)}
"""Where the names of areas are shown."""
HOME_NAME, HOME_NAME_ZOOM = "United States of America", 3
"""The home country's name gives way to those of its states."""


def place_labels(places: dict[str, Iterable[Place]], zoom: int, fonts: Fonts) -> list[Label]:
    """All names of the world at one zoom; the same input gives the same answer, and no two boxes meet."""
    occupied = _Occupied()
    placed: list[Label] = []
    pad = (10, 5) if zoom < 7 else (6, 3)

    def put(options: Iterable[Label], pad: tuple[int, int]) -> None:
        for label in options:
            if not occupied.meets(_grown(label.box, *pad)):
                occupied.take(label.box)
                placed.append(label)
                return

    def areas(sort: str) -> None:
        if zoom in ZOOMS[sort]:
            for place in places[sort]:
                if not (place.name == HOME_NAME and zoom > HOME_NAME_ZOOM):
                    put(_area_labels(sort, place, zoom, fonts), pad)

    def cities(least: float, most: float) -> None:
        for place in places["city"]:
            if least <= place.weight < most:
                put(_candidates(place, zoom, fonts), pad)

    shown = CITY_POPULATION.get(zoom, 0)
    areas("country")
    cities(max(shown, 1_000_000), float("inf"))
    areas("state")
    cities(shown, 1_000_000)
    areas("water")
    areas("county")
    return placed


class LabelIndex:
    """The labels of one zoom, found by the tile that they reach into."""

    def __init__(self, labels: Iterable[Label], world_px: int) -> None:
        self._world_px = world_px
        self._cells: defaultdict[tuple[int, int], list[Label]] = defaultdict(list)
        for label in labels:
            for cell in cells(_grown(label.box, 4, 4)):
                self._cells[cell].append(label)

    def within(self, box: Box) -> list[tuple[int, Label]]:
        """Labels that reach into a box, each with the pixels to shift it east where the world repeats."""
        found: dict[Any, None] = {}
        for shift in (0, -self._world_px, self._world_px):
            moved = (box[0] - shift, box[1], box[2] - shift, box[3])
            for cell in cells(moved):
                for label in self._cells.get(cell, ()):
                    found[(shift, label)] = None
        return list(found)
