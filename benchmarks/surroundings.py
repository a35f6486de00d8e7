"""What detectors need to have something to do: areas, a register with notices, a daily limit.

Made from the seed of an input for its vehicles. Engine codes are in the input itself (`Shape.codes`); the
limit of speed and the codes that mean a crash are fleetflow's own defaults.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import Shape, vin
from benchmarks.movement import KM_PER_DEGREE, home

AREAS = 1_000
LIMIT_KM = 550.0
"""The daily limit: what the quicker vehicles drive in ten hours."""

KINDS = {
    "areas": ("entered", "left"),
    "crash": ("crash", "crash_cleared"),
    "maintenance": ("fault", "maintenance"),
    "mileage": ("mileage",),
    "speed": ("speeding", "speeding_ended"),
}
"""The kinds of events that each detector must have made."""


def make(shape: Shape, folder: Path) -> dict[str, dict[str, str]]:
    """Write files into `folder`; returns per detector its settings, as TABLE_KEY: value."""
    folder.mkdir(parents=True, exist_ok=True)
    areas, notices, register = folder / "areas.geojson", folder / "notices.csv", folder / "register.sqlite"
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": features(shape)}), "utf-8")
    notices.write_text("number,year,make,model,note\nR-1,2019,Benchmark,Model 3,brakes\n", "utf-8")
    register.unlink(missing_ok=True)
    with closing(sqlite3.connect(register)) as connection, connection:
        connection.execute("create table vehicles (vin primary key, year, make, model)")
        connection.executemany(
            "insert into vehicles values (?, ?, 'Benchmark', ?)",
            ((vin(number), 2017 + number % 5, f"Model {number % 7}") for number in range(shape.vehicles)),
        )
    return {
        "areas": {"areas_file": str(areas)},
        "mileage": {"mileage_limit_km": str(LIMIT_KM)},
        "maintenance": {
            "maintenance_notices": str(notices),
            "maintenance_register": f"sqlite:///{register}",
        },
    }


def features(shape: Shape) -> list[dict[str, Any]]:
    """Return `AREAS` circles, rectangles and polygons in turn, each within 20 km of a vehicle's home.

    They are 0.6 to 16 km wide, from a yard to a town; some of them overlap.
    """
    rng = np.random.default_rng([shape.seed, 5])
    owner = np.arange(AREAS) % shape.vehicles
    latitude, longitude = home(owner)
    latitude = latitude + rng.uniform(-20, 20, AREAS) / KM_PER_DEGREE
    east = np.cos(np.radians(latitude)) * KM_PER_DEGREE
    longitude = longitude + rng.uniform(-20, 20, AREAS) / east
    radius_km = rng.uniform(0.3, 8, AREAS)
    corners = np.sort(rng.uniform(0, 2 * np.pi, (AREAS, 8)), axis=1)
    found = []
    for number in range(AREAS):
        centre = np.array([longitude[number], latitude[number]])
        reach = radius_km[number] / np.array([east[number], KM_PER_DEGREE])
        feature: dict[str, Any] = {"type": "Feature", "properties": {"id": f"area-{number:04d}"}}
        if number % 3 == 0:
            feature["geometry"] = {"type": "Point", "coordinates": centre.tolist()}
            feature["properties"]["radius_m"] = radius_km[number] * 1000
        elif number % 3 == 1:
            feature |= {"geometry": None, "bbox": [*(centre - reach), *(centre + reach)]}
        else:
            # corners on an ellipse, in order of their angles: the polygon cannot cross itself
            ring = centre + np.stack([np.cos(corners[number]), np.sin(corners[number])], axis=1) * reach
            feature["geometry"] = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
        found.append(feature)
    return found
