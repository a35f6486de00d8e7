"""Areas out of a GeoJSON file (RFC 7946).

A FeatureCollection whose features are polygons, multipolygons, circles (a point with the property
`radius_m`) or rectangles (a polygon, or a `bbox` and no geometry), each with an `id` in its properties or
beside them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
import shapely.geometry

from fleetflow_areas.area import MOST_RADIUS_M, Area, AreasError, Circle, split_box

HINT = "docs/reference/areas.md shows what the file may hold"
CUT = "cut it there into a MultiPolygon (RFC 7946, section 3.1.9), or use a bbox with east < west"


def parse(data: bytes) -> list[Area]:
    """Return the areas of a file, in its order; raises AreasError that names the feature that is wrong."""
    try:
        document = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise AreasError(f"not JSON: {error}", HINT) from error
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise AreasError("expected a GeoJSON FeatureCollection", HINT)
    features = document.get("features")
    if not isinstance(features, list):
        raise AreasError("expected a list of features", HINT)
    areas: dict[str, Area] = {}
    for number, feature in enumerate(features):
        area = _area(number, feature)
        if area.id in areas:
            raise AreasError(f'two features have the id "{area.id}"', "give each an id of its own")
        areas[area.id] = area
    return list(areas.values())


def _area(number: int, feature: Any) -> Area:
    where = f"feature {number}"
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise AreasError(f"{where} is not a GeoJSON Feature", HINT)
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise AreasError(f"{where}: properties must be an object", HINT)
    identity = properties.get("id", feature.get("id"))
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise AreasError(f"{where} has no id", "put an id (a text or a whole number) into its properties")
    name = properties.get("name")
    where = f'area "{identity}"'
    geometry = feature.get("geometry")
    named = (str(identity), str(identity) if name is None else str(name))
    try:
        if geometry is None:
            return Area(*named, "rectangle", polygons=tuple(_rectangle(where, feature.get("bbox"))))
        if geometry["type"] == "Point":
            return Area(*named, "circle", circle=_circle(where, geometry, properties))
        if geometry["type"] in ("Polygon", "MultiPolygon"):
            return Area(*named, geometry["type"].lower(), polygons=tuple(_polygons(where, geometry)))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, shapely.GEOSException) as error:
        raise AreasError(f"{where}: the geometry cannot be read: {error}", HINT) from error
    raise AreasError(
        f"{where} is a {geometry['type']}", "expected Polygon, MultiPolygon or Point with radius_m"
    )


def _rectangle(where: str, bbox: Any) -> list[shapely.Polygon]:
    if not isinstance(bbox, list) or len(bbox) not in (4, 6):
        raise AreasError(f"{where} has neither a geometry nor a bbox of four numbers", HINT)
    corners = [_number(value) for value in bbox]
    (west, south), (east, north) = corners[:2], corners[len(corners) // 2 :][:2]
    _check_range(where, np.array([[west, south], [east, north]]))
    if north <= south or west == east:
        raise AreasError(f"{where}: its bbox is empty", "write it as west, south, east, north")
    return split_box(west, south, east, north)


def _circle(where: str, geometry: dict[str, Any], properties: dict[str, Any]) -> Circle:
    if "radius_m" not in properties:
        raise AreasError(f"{where} is a point without a radius", "add the property radius_m, in metres")
    longitude, latitude = (_number(value) for value in geometry["coordinates"][:2])
    _check_range(where, np.array([[longitude, latitude]]))
    radius_m = _number(properties["radius_m"])
    if not 0 < radius_m <= MOST_RADIUS_M:
        raise AreasError(f"{where}: its radius_m is {radius_m:g}", "expected metres, more than 0")
    return Circle(latitude, longitude, radius_m)


def _polygons(where: str, geometry: dict[str, Any]) -> Iterator[shapely.Polygon]:
    shape = shapely.force_2d(shapely.geometry.shape(geometry))
    if shape.is_empty:
        raise AreasError(f"{where} is empty", HINT)
    if not shape.is_valid:
        raise AreasError(f"{where} is not a valid polygon: {shapely.is_valid_reason(shape)}", "correct it")
    _check_range(where, shapely.get_coordinates(shape))
    for polygon in shapely.get_parts(shape):
        for ring in (polygon.exterior, *polygon.interiors):
            if (np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])) > 180).any():
                raise AreasError(f"{where} crosses the antimeridian or holds a pole", CUT)
        yield polygon


def _check_range(where: str, corners: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    if not (np.isfinite(corners).all() and (np.abs(corners) <= (180, 90)).all()):
        raise AreasError(
            f"{where} has coordinates that are not degrees", "expected longitude, latitude, as in RFC 7946"
        )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
