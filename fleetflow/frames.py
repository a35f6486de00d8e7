"""Rows of frames, column by column in the thread that asks.

Polars shares out the columns of a frame to threads of its own and waits for them. Where other workers keep
all cores busy, that wait is longer than the work on some columns of numbers.
"""

from __future__ import annotations

import polars as pl


def taken(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Return some rows, UInt32, in their order."""
    return pl.DataFrame([column[rows] for column in frame.get_columns()])


def kept(frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """Return the rows for which the mask is true."""
    return pl.DataFrame([column.filter(mask) for column in frame.get_columns()])


def in_one_piece(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with each column in one array; itself if it is so already."""
    columns = frame.get_columns()
    if all(column.n_chunks() == 1 for column in columns):
        return frame
    return pl.DataFrame([column.rechunk() for column in columns])
