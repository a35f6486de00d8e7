"""What the two processes say to each other: JSON objects and tables, each with its length before it."""

from __future__ import annotations

import io
from typing import IO, Any

import msgspec
import polars as pl

LENGTH_BYTES = 8


def send(to: IO[bytes], value: dict[str, Any]) -> None:
    """Send a JSON object."""
    _send(to, msgspec.json.encode(value))


def send_table(to: IO[bytes], content: pl.DataFrame) -> None:
    """Send a table, as an Arrow stream."""
    data = io.BytesIO()
    content.write_ipc_stream(data)
    _send(to, data.getbuffer())


def receive(of: IO[bytes]) -> dict[str, Any]:
    """Return a JSON object; EOFError when the other side has ended."""
    value: dict[str, Any] = msgspec.json.decode(_receive(of))
    return value


def receive_table(of: IO[bytes]) -> pl.DataFrame:
    """Return a table; EOFError when the other side has ended."""
    return pl.read_ipc_stream(io.BytesIO(_receive(of)))


def _send(to: IO[bytes], data: bytes | memoryview) -> None:
    to.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    to.write(data)
    to.flush()


def _receive(of: IO[bytes]) -> bytes:
    length = int.from_bytes(_exactly(of, LENGTH_BYTES), "big")
    return _exactly(of, length)


def _exactly(of: IO[bytes], length: int) -> bytes:
    data = of.read(length)
    if len(data) < length:
        raise EOFError
    return data
