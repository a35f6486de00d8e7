"""The register of vehicles: which make, model and year a VIN is, in any database SQLAlchemy knows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetflow_maintenance.errors import RegisterError
from fleetflow_maintenance.rows import refuse, rows_of, year_of
from fleetflow_maintenance.settings import settings_of

if TYPE_CHECKING:
    from fleetflow.config import Configuration
    from fleetflow_maintenance.database import Database

SCHEMA = {"vin": pl.String(), "year": pl.Int64(), "make": pl.String(), "model": pl.String()}
PLAIN = re.compile(r"sqlite:///(?!:memory:|file:)([^?]+)")
"""A URL that is nothing but the path of a SQLite file: a job reads it without SQLAlchemy."""

Vehicle = tuple[str, int | None, str, str]
"""VIN, year (None when it is not known), make, model."""


class Register:
    """A register in the table `vehicles` (vin, year, make, model) of a database. Keeps no connection."""

    def __init__(self, url: str, home: Path) -> None:
        """Relative paths of SQLite files start from `home`. Raises RegisterError for a URL that is none."""
        self._url, self._home = url, home
        plain = PLAIN.fullmatch(url)
        self._plain = home / plain[1] if plain else None
        self.file: Path | None = self._plain or self._database().file
        """The SQLite file; None for any other database."""

    @classmethod
    def of(cls, configuration: Configuration) -> Register:
        """Return the register that the configuration names."""
        return cls(settings_of(configuration).register.get_secret_value(), configuration.home)

    def _database(self) -> Database:
        from fleetflow_maintenance.database import Database  # noqa: PLC0415 - slow to import

        return Database(self._url, self._home)

    def read(self) -> pl.DataFrame:
        """Return all vehicles, with the columns of `SCHEMA`; none when file or table do not exist yet."""
        rows: Sequence[tuple[Any, ...]] = ()
        if self.file is None or self.file.is_file():
            rows = _rows_in(self._plain) if self._plain else self._database().read()
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def put(self, vehicles: Sequence[Vehicle]) -> None:
        """Add vehicles, or replace those of the same VIN: all of them or none."""
        newest = {vehicle[0]: dict(zip(SCHEMA, vehicle, strict=True)) for vehicle in vehicles}
        self._database().put(list(newest.values()))


def _rows_in(file: Path) -> list[tuple[Any, ...]]:
    """Return the vehicles in a SQLite file, which is not written to; none when it has no such table."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            there = "select 1 from sqlite_master where type in ('table', 'view') and lower(name) = 'vehicles'"
            if connection.execute(there).fetchone() is None:
                return []
            return connection.execute(f"select {', '.join(SCHEMA)} from vehicles").fetchall()
    except sqlite3.Error as error:
        raise RegisterError(f"the register {file} cannot be used: {error}", "check the database") from error


def read_vehicles(file: Path) -> list[Vehicle]:
    """Return the vehicles of a CSV file vin,year,make,model; raises RowsError that names bad rows."""
    found: list[Vehicle] = []
    problems: list[str] = []
    for row in rows_of(file, tuple(SCHEMA), ("vin", "make", "model")):
        year = row if isinstance(row, str) else year_of(row)
        if isinstance(row, str) or isinstance(year, str):
            problems.append(str(year))
        else:
            found.append((row.cells["vin"], year, row.cells["make"], row.cells["model"]))
    refuse(file, problems)
    return found
