"""Stretches of rows that belong together, and columns with a row per vehicle that grow."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)


def groups(keys: Integers) -> tuple[Integers, Integers]:
    """Return where each run of equal keys begins, and for each row the number of its run."""
    begins = np.empty(len(keys), np.bool_)
    begins[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    first = np.flatnonzero(begins)
    return first, np.repeat(np.arange(len(first)), sizes(first, len(keys)))


def sizes(first: Integers, total: int) -> Integers:
    """Return the lengths of runs that begin at `first`, of `total` rows."""
    return np.diff(first, append=total)


def ends(first: Integers, total: int) -> Integers:
    """Return the last row of each run that begins at `first`, of `total` rows."""
    return np.append(first[1:], total)[: len(first)] - 1


def spread(start: Integers, size: Integers) -> Integers:
    """Return start, start + 1, ... for each run, one after the other."""
    before = np.cumsum(size) - size
    return np.repeat(start - before, size) + np.arange(size.sum())


def grown(array: npt.NDArray[Number], rows: int, fill: float | bool) -> npt.NDArray[Number]:
    """Return `array` with room for `rows` (doubled when it grows), new ones filled with `fill`."""
    if rows <= len(array):
        return array
    new: npt.NDArray[Any] = np.full((max(rows, 2 * len(array), 64), *array.shape[1:]), fill, array.dtype)
    new[: len(array)] = array
    return new
