"""What the tests of areas share: GeoJSON, batches, and the rule once more, slow and in plain Python."""

import json
import math

import polars as pl
from fleetflow_areas.detector import AreasDetector
from fleetflow_areas.file import AreasFile

RADIUS_M = 6_371_008.8


def feature(identity, geometry, bbox=None, **properties):
    made = {"type": "Feature", "properties": {"id": identity, **properties}, "geometry": geometry}
    return made if bbox is None else {**made, "bbox": bbox}


def rectangle(identity, west, south, east, north, **properties):
    return feature(identity, None, [west, south, east, north], **properties)


def polygon(identity, *corners, **properties):
    ring = [list(corner) for corner in (*corners, corners[0])]
    return feature(identity, {"type": "Polygon", "coordinates": [ring]}, **properties)


def circle(identity, longitude, latitude, radius_m, **properties):
    point = {"type": "Point", "coordinates": [longitude, latitude]}
    return feature(identity, point, radius_m=radius_m, **properties)


def collection(*features):
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def write(path, *features):
    path.write_bytes(collection(*features))
    return path


def frame(pings):
    """Pings are (vin, time, latitude, longitude)."""
    return pl.DataFrame(
        {
            "vin": pl.Series([p[0] for p in pings], dtype=pl.String),
            "latitude": pl.Series([p[2] for p in pings], dtype=pl.Float64),
            "longitude": pl.Series([p[3] for p in pings], dtype=pl.Float64),
            "time": pl.Series([p[1] for p in pings], dtype=pl.Float64),
            "sequence": range(len(pings)),
            "source": ["alpha"] * len(pings),
            "received_at": [1.0] * len(pings),
        }
    )


def detector(path, check_s=1.0, **options):
    return AreasDetector(AreasFile(path, check_s, **options))


def metres(lat_a, lon_a, lat_b, lon_b):
    """The haversine formula as in the textbook."""
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    h = (
        math.sin((phi_b - phi_a) / 2) ** 2
        + math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(lon_b - lon_a) / 2) ** 2
    )
    return 2 * RADIUS_M * math.asin(math.sqrt(min(1.0, h)))


def lies_in(one, latitude, longitude):
    """Whether a position lies in a feature made by this kit: rectangle, triangle or circle."""
    if one["geometry"] is None:
        west, south, east, north = one["bbox"]
        return west <= longitude <= east and south <= latitude <= north
    if one["geometry"]["type"] == "Point":
        lon, lat = one["geometry"]["coordinates"]
        return metres(latitude, longitude, lat, lon) <= one["properties"]["radius_m"]
    a, b, c, _ = one["geometry"]["coordinates"][0]
    sides = [
        (q[0] - p[0]) * (latitude - p[1]) - (q[1] - p[1]) * (longitude - p[0])
        for p, q in ((a, b), (b, c), (c, a))
    ]
    return all(side >= 0 for side in sides) or all(side <= 0 for side in sides)


def reference(pings, features):
    """The events of pings in order of arrival: (vin, time, kind, area, areas of the vehicle then)."""
    newest, inside, events = {}, {}, []
    for vin, time, latitude, longitude in pings:
        if vin in newest and time <= newest[vin]:
            continue
        newest[vin] = time
        before = inside.get(vin, set())
        now = {one["properties"]["id"] for one in features if lies_in(one, latitude, longitude)}
        events += [(vin, time, "left", area, tuple(sorted(now))) for area in sorted(before - now)]
        events += [(vin, time, "entered", area, tuple(sorted(now))) for area in sorted(now - before)]
        inside[vin] = now
    return events
