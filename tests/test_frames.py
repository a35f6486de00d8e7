"""Rows taken column by column are those that a frame gives."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.frames import in_one_piece, taken

FRAME = pl.DataFrame(
    {"a": ["x", None, "a longer text than that", "y"], "b": [1.5, 2, 3, None], "c": [[], ["P"], None, []]}
)


@given(st.lists(st.integers(0, 3)))
def test_the_same_rows_in_the_same_order(rows):
    assert taken(FRAME, pl.Series(rows, dtype=pl.UInt32)).equals(FRAME[rows])


def test_pieces_are_joined_and_one_piece_is_left_alone():
    pieces = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    whole = in_one_piece(pieces)
    assert whole.equals(FRAME)
    assert all(column.n_chunks() == 1 for column in whole.get_columns())
    assert in_one_piece(whole) is whole
