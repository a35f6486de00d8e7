"""One field of a ping schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a ping: a name, a Polars type out of `json.PYTHON_TYPES`, and a default.

    A field without a default (`required`) makes a record without it malformed. `csv` False means that
    the CSV form does not carry it (the sequence: there the byte offset of the line takes its place).
    """

    name: str
    dtype: pl.DataType
    required: bool = True
    default: Any = None
    csv: bool = True
