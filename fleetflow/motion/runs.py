"""Stretches of rows that belong together, and columns with a row per vehicle that grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)
Column = npt.NDArray[Any]
LONG = 32
"""From so many rows per run it is cheaper to copy runs than rows."""


def groups(keys: Integers) -> tuple[Integers, Integers]:
    """Return where each run of equal keys begins, and for each row the number of its run."""
    begins = np.empty(len(keys), np.bool_)
    begins[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    first = np.flatnonzero(begins)
    return first, np.repeat(np.arange(len(first)), sizes(first, len(keys)))


def sizes(first: Integers, total: int) -> Integers:
    """Return the lengths of runs that begin at `first`, of `total` rows."""
    size = np.empty_like(first)
    np.subtract(first[1:], first[:-1], out=size[:-1])
    size[-1:] = total - first[-1:]
    return size


def ends(first: Integers, total: int) -> Integers:
    """Return the last row of each run that begins at `first`, of `total` rows."""
    return np.append(first[1:], total)[: len(first)] - 1


def spread(start: Integers, size: Integers) -> Integers:
    """Return start, start + 1, ... for each run, one after the other."""
    before = np.cumsum(size) - size
    return np.repeat(start - before, size) + np.arange(size.sum())


def few_true(mask: Booleans) -> Integers:
    """Return where a mask is true, as `flatnonzero` does; quickly where hardly anything is."""
    whole = len(mask) & ~7
    eights = np.flatnonzero(mask[:whole].view(np.uint64)) * 8
    rows = np.concatenate([(eights[:, None] + np.arange(8)).ravel(), np.arange(whole, len(mask))])
    found: Integers = rows[mask[rows]]
    return found


def woven(old: Sequence[Column], new: Sequence[Column], held: Integers, came: Integers) -> list[Column]:
    """Return columns of `held[i]` old and then `came[i]` new rows for each i, of as many columns as given."""
    if not len(old[0]):
        return list(new)
    if len(new[0]) > LONG * len(came):
        from_old, from_new = np.cumsum(held) - held, np.cumsum(came) - came
        bounds = np.stack([from_old, from_old + held, from_new, from_new + came], axis=1).tolist()
        return [
            np.concatenate([part for a, b, c, d in bounds for part in (x[a:b], y[c:d])])
            for x, y in zip(old, new, strict=True)
        ]
    start = np.cumsum(held + came) - held - came
    where = np.empty(len(old[0]) + len(new[0]), np.int64)
    where[spread(start, held)] = np.arange(len(old[0]))
    where[spread(start + held, came)] = np.arange(len(old[0]), len(where))
    return [np.concatenate([x, y]).take(where) for x, y in zip(old, new, strict=True)]


def grown(array: npt.NDArray[Number], rows: int, fill: float | bool) -> npt.NDArray[Number]:
    """Return `array` with room for `rows` (doubled when it grows), new ones filled with `fill`."""
    if rows <= len(array):
        return array
    new: npt.NDArray[Any] = np.full((max(rows, 2 * len(array), 64), *array.shape[1:]), fill, array.dtype)
    new[: len(array)] = array
    return new
