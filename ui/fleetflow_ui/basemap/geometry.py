"""Plane geometry of the map: the Web Mercator square, clipping, simplification.

Positions are fractions of the Web Mercator world square: x grows eastwards and y southwards, both from
0 to 1, as the tile scheme counts (EPSG:3857, cut at 85.0511 degrees).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
"""Vertices, shape ``(n, 2)``."""

MAX_LATITUDE_DEG = 85.0511287798066


def project(lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike) -> Points:
    """Degrees to fractions of the world square, shape ``(n, 2)``; latitudes beyond the square are cut."""
    lon = np.asarray(lon_deg, dtype=float)
    lat = np.radians(np.clip(np.asarray(lat_deg, dtype=float), -MAX_LATITUDE_DEG, MAX_LATITUDE_DEG))
    x = lon / 360 + 0.5
    y = 0.5 - np.log(np.tan(np.pi / 4 + lat / 2)) / (2 * np.pi)
    return np.stack([x, y], axis=-1)


def clip_ring(ring: Points, low: tuple[float, float], high: tuple[float, float]) -> Points:
    """Cut a closed ring to a rectangle (Sutherland and Hodgman 1974); empty when nothing is inside.

    Parts of the answer may run along the rectangle's edge, so give a rectangle larger than what is shown.
    """
    for axis in (0, 1):
        for bound, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            if len(ring) < 3:
                return ring[:0]
            ring = _clip_half_plane(ring, axis, bound, sign)
    return ring


def _clip_half_plane(ring: Points, axis: int, bound: float, sign: float) -> Points:
    distance = sign * (ring[:, axis] - bound)
    inside = distance >= 0
    if inside.all():
        return ring
    if not inside.any():
        return ring[:0]
    following = np.concatenate((ring[1:], ring[:1]))
    distance_following = np.concatenate((distance[1:], distance[:1]))
    crosses = inside != (distance_following >= 0)
    before = np.cumsum(inside.astype(np.int64) + crosses) - inside - crosses
    out = np.empty((int(inside.sum() + crosses.sum()), 2))
    out[before[inside]] = ring[inside]
    share = distance[crosses] / (distance[crosses] - distance_following[crosses])
    cut = ring[crosses] + share[:, None] * (following[crosses] - ring[crosses])
    out[before[crosses] + inside[crosses]] = cut
    return out


def significance(points: Points, *, closed: bool) -> npt.NDArray[np.float64]:
    """For each vertex, the largest tolerance at which simplification still keeps it.

    This is Douglas and Peucker (1973), run once for all tolerances: a vertex never outranks the one that
    split its stretch, so ``points[significance >= t]`` are nested for growing t. The ends of an open line
    are infinitely significant; a ring is anchored at its most distant vertices, whose significance is
    the ring's extent, so that a ring smaller than the tolerance goes as a whole.
    """
    count = len(points)
    rank = np.zeros(count)
    if closed:
        far = int(np.argmax(np.hypot(*(points - points[0]).T)))
        far2 = int(np.argmax(np.hypot(*(points - points[far]).T)))
        first, second = sorted((far, far2))
        extent = float(np.hypot(*(points[second] - points[first])))
        rank[[first, second]] = extent
        rolled = np.concatenate((np.arange(first, count), np.arange(first)))
        rolled = np.append(rolled, first)
        middle = second - first
        spans = [(0, middle, extent), (middle, count, extent)]
    else:
        rolled = np.arange(count)
        rank[[0, -1]] = np.inf
        spans = [(0, count - 1, np.inf)]
    path = points[rolled]
    while spans:
        start, stop, limit = spans.pop()
        if stop - start < 2:
            continue
        inner = path[start + 1 : stop]
        chord = path[stop] - path[start]
        offset = inner - path[start]
        length2 = float(chord @ chord)
        share = np.clip(offset @ chord / length2, 0, 1) if length2 else np.zeros(len(inner))
        off = np.hypot(*(offset - share[:, None] * chord).T)
        split = int(np.argmax(off))
        value = min(float(off[split]), limit)
        rank[rolled[start + 1 + split]] = value
        if value > 0:
            spans += [(start, start + 1 + split, value), (start + 1 + split, stop, value)]
    return rank
