"""Distances on the earth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth, (2a + b) / 3 of the ellipsoid GRS 80: H. Moritz, Geodetic Reference System
1980, Journal of Geodesy 74 (2000)."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def distance_mm(latitude: Floats, longitude: Floats, to_latitude: Floats, to_longitude: Floats) -> Integers:
    """Return great-circle distances between positions in degrees, in whole millimetres.

    The haversine formula (R. W. Sinnott, Virtues of the Haversine, Sky and Telescope 68, 1984) on a sphere:
    within 0.6 % of the ellipsoid, exact for short distances where the law of cosines is not. Whole numbers
    add up to the same sum in whatever order. A position that is not a number is at distance 0.
    """
    phi, to_phi = np.radians(latitude), np.radians(to_latitude)
    across = np.sin((to_phi - phi) / 2)
    along = np.sin(np.radians(to_longitude - longitude) / 2)
    chord = across * across + np.cos(phi) * np.cos(to_phi) * along * along
    metres: Any = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    whole: Integers = np.rint(np.nan_to_num(metres * 1000)).astype(np.int64)
    return whole
