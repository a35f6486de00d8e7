"""Distances on the earth, taken for a sphere: within 0.6 % of the ellipsoid.

A chord is the straight line through the sphere between two positions. It takes few operations and orders
distances as the great circle does, so that comparisons can be made on squared chords (of a sphere of radius
1) and only what is told needs `metres` or `millimetres`.
"""

from __future__ import annotations

import numpy as np

from fleetflow.motion.runs import Floats, Integers
from fleetflow.native import motion as native

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth, (2a + b) / 3 of the ellipsoid GRS 80: H. Moritz, Geodetic Reference System
1980, Journal of Geodesy 74 (2000)."""
RADIANS = np.pi / 180
NODES_PER_DEGREE = 64
NODE_COSINES, NODE_SINES = (
    function(np.arange(-180 * NODES_PER_DEGREE, 180 * NODES_PER_DEGREE + 1) / NODES_PER_DEGREE * RADIANS)
    for function in (np.cos, np.sin)
)
NODES = (NODE_COSINES, NODE_SINES, NODES_PER_DEGREE)
SMALL = 1e-3
"""Below this angle (6 km on the earth) three terms of a series are all that a float can hold of a sine."""


def on_sphere(latitude: Floats, longitude: Floats) -> Floats:
    """Return points on the unit sphere, of shape (3, n), for n positions in degrees (on earth, or NaN).

    Each coordinate is within 5e-16 of the exact one, which is 3 nanometres on the earth, and depends on its
    position alone. Sines and cosines are those of the nearest 64th of a degree, turned by the small rest:
    a third of the time of four sines, or less.
    """
    cos_phi, sin_phi = _turned(latitude)
    cos_lam, sin_lam = _turned(longitude)
    points = np.empty((3, len(sin_phi)))
    np.multiply(cos_phi, cos_lam, out=points[0])
    np.multiply(cos_phi, sin_lam, out=points[1])
    points[2] = sin_phi
    return points


def _turned(degrees: Floats) -> tuple[Floats, Floats]:
    """Return cosines and sines of angles between -180 and 180 degrees."""
    rest = degrees * NODES_PER_DEGREE
    nearest = np.rint(rest)
    # exact, as the product above is: both are multiples of the last bit of the former, and near each other
    rest -= nearest
    rest *= RADIANS / NODES_PER_DEGREE
    nearest += 180 * NODES_PER_DEGREE
    with np.errstate(invalid="ignore"):
        node = nearest.astype(np.int64)
    # of what is not a number the node is any, and the rest not a number
    cosine, sine = NODE_COSINES.take(node, mode="clip"), NODE_SINES.take(node, mode="clip")
    # 1 - cos = x^2/2, sin = x - x^3/6: what follows is less than 2e-17, as x is at most 1.4e-4
    versine = rest * rest
    cubic = versine * (-1 / 6)
    cubic += 1
    rest *= cubic
    versine *= 0.5
    turned = cosine * versine
    turned += sine * rest
    np.subtract(cosine, turned, out=turned)
    rest *= cosine
    versine *= sine
    rest -= versine
    sine += rest
    return turned, sine


def chords(a: Floats, b: Floats) -> Floats:
    """Return the squared chords between points of shape (3, n)."""
    total: Floats = a[0] - b[0]
    total *= total
    for axis in (1, 2):
        part = a[axis] - b[axis]
        part *= part
        total += part
    return total


def haversine(latitude: Floats, longitude: Floats, to_latitude: Floats, to_longitude: Floats) -> Floats:
    """Return the squared chords between positions in degrees, for `metres` or `millimetres`.

    The haversine formula (R. W. Sinnott, Virtues of the Haversine, Sky and Telescope 68, 1984, p. 159), whose
    `a` is the squared half chord: exact for short distances where the law of cosines is not.
    """
    phi, to_phi = np.multiply(latitude, RADIANS), np.multiply(to_latitude, RADIANS)
    turn = np.subtract(to_longitude, longitude) * RADIANS
    return _squared(phi, np.cos(phi), to_phi, np.cos(to_phi), turn)


def legs(
    latitude: Floats, longitude: Floats, first: Integers, from_latitude: Floats, from_longitude: Floats
) -> Floats:
    """Return the squared chord from each position to the one before it, in degrees and by `haversine`.

    Positions are given vehicle after vehicle; `first` tells where each begins, and `from_latitude` and
    `from_longitude` where it was before.
    """
    phi, from_phi = latitude * RADIANS, from_latitude * RADIANS
    cos_phi, before, cos_before, turn = np.cos(phi), np.empty_like(phi), np.empty_like(phi), phi * 0
    before[1:], cos_before[1:] = phi[:-1], cos_phi[:-1]
    before[first], cos_before[first] = from_phi, np.cos(from_phi)
    np.subtract(longitude[1:], longitude[:-1], out=turn[1:])
    turn[first] = longitude[first] - from_longitude
    turn *= RADIANS
    return _squared(before, cos_before, phi, cos_phi, turn)


def _squared(phi: Floats, cos_phi: Floats, to_phi: Floats, cos_to_phi: Floats, turn: Floats) -> Floats:
    across = _sine((to_phi - phi) / 2)
    across *= across
    along = _sine(turn / 2)
    along *= along
    along *= cos_phi
    along *= cos_to_phi
    along += across
    along *= 4
    return along


def _sine(angle: Floats) -> Floats:
    """Return sines; of small angles, as legs mostly are, in a tenth of the time."""
    square = angle * angle
    # x - x^3/3! + x^5/5!, what follows is less than 1e-20 of it
    sine = square * (1 / 120)
    sine -= 1 / 6
    sine *= square
    sine += 1
    sine *= angle
    # not `square > …`: of what is not a number the sine is not a number either way
    if not square.max(initial=0) < SMALL * SMALL:
        large = np.flatnonzero(square >= SMALL * SMALL)
        sine[large] = np.sin(angle[large])
    return sine


def metres(squared: Floats) -> Floats:
    """Return great-circle distances from squared chords."""
    square = squared / 4
    # the series of the arcsine, as above; of half a chord
    arc = square * (15 / 336)
    arc += 3 / 40
    arc *= square
    arc += 1 / 6
    arc *= square
    arc += 1
    half = np.sqrt(square)
    arc *= half
    if not square.max(initial=0) < SMALL * SMALL:
        large = np.flatnonzero(square >= SMALL * SMALL)
        arc[large] = np.arcsin(np.minimum(half[large], 1))
    arc *= 2 * EARTH_RADIUS_M
    return arc


def millimetres(squared: Floats) -> Integers:
    """Return great-circle distances in whole millimetres from squared chords; what is not a number is at 0.

    Whole numbers add up to the same sum in whatever order: totals do not depend on how pings were batched.
    """
    found = native.millimetres(squared, SMALL * SMALL, 2 * EARTH_RADIUS_M)
    if found is None:
        return _whole(metres(squared))
    whole, some_are_large = found
    if some_are_large:
        large = np.flatnonzero(squared / 4 >= SMALL * SMALL)
        whole[large] = _whole(metres(squared[large]))
    return whole


def _whole(distances_m: Floats) -> Integers:
    distances_m *= 1000
    np.rint(distances_m, out=distances_m)
    distances_m[np.isnan(distances_m)] = 0
    return distances_m.astype(np.int64)
