"""Maintenance notices: what a maker or a workshop announced, as a CSV file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fleetflow_maintenance.rows import rows_of, year_of

COLUMNS = ("number", "year", "make", "model", "note")
SCHEMA = {
    "number": pl.String(),
    "year": pl.Int64(),
    "make": pl.String(),
    "model": pl.String(),
    "note": pl.String(),
}


def read_notices(file: Path) -> tuple[pl.DataFrame, list[str]]:
    """Return the notices (columns of `SCHEMA`, in order of the file) and the rows that cannot be used.

    A notice may have several rows, for several makes or models. An empty year or model (null) means all of
    them. A file that does not exist holds no notices. Raises RowsError when it cannot be read.
    """
    if not file.exists():
        return pl.DataFrame(schema=SCHEMA), []
    found: list[tuple[str, int | None, str, str | None, str]] = []
    problems: list[str] = []
    for row in rows_of(file, COLUMNS, ("number", "make")):
        if isinstance(row, str):
            problems.append(row)
            continue
        year = year_of(row)
        if isinstance(year, str):
            problems.append(year)
            continue
        cells = row.cells
        found.append((cells["number"], year, cells["make"], cells["model"] or None, cells["note"]))
    return pl.DataFrame(found, schema=SCHEMA, orient="row"), problems
