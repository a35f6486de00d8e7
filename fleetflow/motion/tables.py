"""Tables as bytes, for state that is plain data."""

from __future__ import annotations

import io

import polars as pl


def packed(frame: pl.DataFrame) -> bytes:
    """Return a table as an Arrow IPC stream."""
    stream = io.BytesIO()
    frame.write_ipc_stream(stream, compression="zstd")
    return stream.getvalue()


def unpacked(data: bytes) -> pl.DataFrame:
    """Return the table that `packed` was given."""
    return pl.read_ipc_stream(io.BytesIO(data))
