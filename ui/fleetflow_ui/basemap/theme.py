"""The colours of the two maps, and the fixed palette that their PNG files use.

All tiles of a theme share one palette, so a colour is the same on both sides of a seam whatever else a
tile shows. The palette holds the flat colours and the blends that antialiasing makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

ThemeName = Literal["light", "dark"]
Colour = tuple[int, int, int]

_BITS = 6
_BLENDS = 7


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by what they paint, as ``#rrggbb``."""

    water: str
    home: str
    abroad: str
    coast: str
    county: str
    state: str
    country: str
    road: str
    road_casing: str
    dot: str
    dot_fill: str
    city: str
    halo: str
    state_name: str
    country_name: str
    water_name: str
    county_name: str


LIGHT = Theme(
    water="#cbdde8",
    home="#fbfaf6",
    abroad="#f1efea",
    coast="#a9c4d4",
    county="#e3dfd7",
    state="#b9b3aa",
    country="#9a93a3",
    road="#fbe2a8",
    road_casing="#e9bd77",
    dot="#6b7078",
    dot_fill="#ffffff",
    city="#3a4048",
    halo="#fbfaf6",
    state_name="#a29c94",
    country_name="#8a8492",
    water_name="#6f98b3",
    county_name="#b5aea4",
)
DARK = Theme(
    water="#11161d",
    home="#20262f",
    abroad="#1a1f27",
    coast="#2f3b48",
    county="#2b323d",
    state="#4a5462",
    country="#5d6675",
    road="#5c4f38",
    road_casing="#353027",
    dot="#8a93a0",
    dot_fill="#20262f",
    city="#c3cad4",
    halo="#1b2028",
    state_name="#727d8c",
    country_name="#7c8695",
    water_name="#47627a",
    county_name="#566070",
)
THEMES: dict[str, Theme] = {"light": LIGHT, "dark": DARK}


def rgb(colour: str) -> Colour:
    """``#rrggbb`` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def palette(theme: Theme) -> npt.NDArray[np.uint8]:
    """At most 256 colours, the flat ones first, shape ``(n, 3)``."""
    t = theme
    grounds = (t.home, t.abroad, t.water)
    inks = (t.city, t.state_name, t.country_name, t.water_name, t.county_name)
    pairs = [
        *((ground, t.coast) for ground in grounds),
        *((ground, line) for ground in grounds[:2] for line in (t.county, t.state, t.country)),
        *pairwise(grounds),
        (t.home, t.water),
        (t.water, t.country),
        (t.road, t.road_casing),
        (t.home, t.road_casing),
        (t.dot, t.dot_fill),
        (t.dot, t.halo),
        *((t.halo, ink) for ink in inks),
        (t.water, t.water_name),
        (t.water, t.halo),
        (t.state, t.halo),
        (t.road_casing, t.halo),
    ]
    flat = [getattr(t, name) for name in Theme.__dataclass_fields__]
    colours = dict.fromkeys(rgb(colour) for colour in flat)
    for first, second in pairs:
        a, b = np.array(rgb(first)), np.array(rgb(second))
        for step in range(1, _BLENDS + 1):
            blend = np.round(a + (b - a) * step / (_BLENDS + 1)).astype(int)
            colours.setdefault((int(blend[0]), int(blend[1]), int(blend[2])))
    return np.array(list(colours), dtype=np.uint8)[:256]


@cache
def _lookup(theme: Theme) -> tuple[npt.NDArray[np.uint8], list[int]]:
    colours = palette(theme)
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    side = 1 << _BITS
    levels = np.arange(side, dtype=np.uint8) * (256 // side) + 128 // side
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(side * side, side, 3)
    quantised = Image.fromarray(cube).quantize(palette=image, dither=Image.Dither.NONE)
    table = np.asarray(quantised).reshape(-1).copy()
    flat = np.arange(len({getattr(theme, name) for name in Theme.__dataclass_fields__}))[::-1]
    table[_cells(colours[flat])] = flat
    return table, [int(value) for value in colours.reshape(-1)]


def _cells(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    parts = (colours >> (8 - _BITS)).astype(np.uint32)
    red, green, blue = (parts[..., channel] for channel in range(3))
    return ((red << (2 * _BITS)) | (green << _BITS) | blue).astype(np.uint32)


def quantise(image: Image.Image, theme: Theme) -> Image.Image:
    """An RGB image in the theme's palette; flat colours stay exact."""
    table, colours = _lookup(theme)
    out = Image.fromarray(table[_cells(np.asarray(image))])
    out.putpalette(colours)
    return out
