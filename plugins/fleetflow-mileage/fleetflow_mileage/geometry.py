"""Positions as points on the unit sphere, and distances between them.

A chord (the straight line through the sphere) takes a few multiplications and orders distances like the
great circle does, so decisions are made on squared chords. The great-circle distance itself,
2 R asin(chord / 2), is the haversine formula (its `a` is the squared half chord), for what counts only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RADIUS_M = 6_371_008.8
"""Mean radius of the earth in metres (IUGG 1980)."""


def on_sphere(latitude: Floats, longitude: Floats) -> Floats:
    """Return points of shape (3, n) for n positions in degrees."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    # sin(x + pi/2) instead of cos(x): the same to the last digit or two, in a third of the time
    cos_phi = np.sin(phi + np.pi / 2)
    return np.stack((cos_phi * np.sin(lam + np.pi / 2), cos_phi * np.sin(lam), np.sin(phi)))


def chord2(a: Floats, b: Floats) -> Floats:
    """Return the squared chords between points of shape (3, n), in squared earth radii."""
    total: Floats = a[0] - b[0]
    total *= total
    for axis in (1, 2):
        part = a[axis] - b[axis]
        part *= part
        total += part
    return total


def millimetres(squared: Floats) -> Ints:
    """Return great-circle distances in whole millimetres from squared chords.

    Whole numbers add up to the same sum in any order: totals do not depend on how pings were batched.
    """
    half = np.minimum(np.sqrt(squared) / 2, 1.0)
    return np.rint(2_000 * RADIUS_M * np.arcsin(half)).astype(np.int64)
