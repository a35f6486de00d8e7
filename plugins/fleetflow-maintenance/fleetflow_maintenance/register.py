"""The register of vehicles: which make, model and year a VIN is, in any database SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from fleetflow.errors import FleetflowError
from fleetflow_maintenance.rows import refuse, rows_of, year_of
from fleetflow_maintenance.settings import settings_of

if TYPE_CHECKING:
    from fleetflow.config import Configuration

VEHICLES = Table(
    "vehicles",
    MetaData(),
    Column("vin", String(64), primary_key=True),
    Column("year", Integer, nullable=True),
    Column("make", String(100), nullable=False),
    Column("model", String(100), nullable=False),
)
SCHEMA = {"vin": pl.String(), "year": pl.Int64(), "make": pl.String(), "model": pl.String()}
AT_ONCE = 500
"""Rows per statement: databases limit how many values one may have."""

Vehicle = tuple[str, int | None, str, str]
"""VIN, year (None when it is not known), make, model."""


class RegisterError(FleetflowError):
    """The register cannot be used."""


class Register:
    """A register in the table `vehicles` (vin, year, make, model) of a database. Keeps no connection."""

    def __init__(self, url: str, home: Path) -> None:
        """Relative paths of SQLite files start from `home`. Raises RegisterError for a URL that is none."""
        try:
            self._url = make_url(url)
        except ArgumentError as error:
            raise RegisterError(
                "[maintenance] register is no database URL",
                "write one such as sqlite:///data/register.sqlite",
            ) from error
        self.file: Path | None = None
        """The SQLite file; None for any other database."""
        database = self._url.database or ":memory:"
        if self._url.get_backend_name() == "sqlite" and not database.startswith((":memory:", "file:")):
            self.file = home / database
            self._url = self._url.set(database=str(self.file))

    @classmethod
    def of(cls, configuration: Configuration) -> Register:
        """Return the register that the configuration names."""
        return cls(settings_of(configuration).register.get_secret_value(), configuration.home)

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        engine: Engine | None = None
        try:
            engine = create_engine(self._url, poolclass=NullPool)
            with engine.begin() as connection:
                yield connection
        except ImportError as error:
            raise RegisterError(
                f"the register {self} needs a driver that is not installed: {error}",
                "pip install the driver that SQLAlchemy names for this database",
            ) from error
        except SQLAlchemyError as error:
            text = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise RegisterError(
                f"the register {self} cannot be used: {text}", "check the database"
            ) from error
        finally:
            if engine is not None:
                engine.dispose()

    def read(self) -> pl.DataFrame:
        """Return all vehicles, with the columns of `SCHEMA`; none when file or table do not exist yet."""
        if self.file is not None and not self.file.is_file():
            return pl.DataFrame(schema=SCHEMA)
        with self._connection() as connection:
            if not inspect(connection).has_table(VEHICLES.name):
                return pl.DataFrame(schema=SCHEMA)
            columns = [VEHICLES.c[name] for name in SCHEMA]
            rows = connection.execute(select(*columns)).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=SCHEMA, orient="row")

    def put(self, vehicles: Sequence[Vehicle]) -> None:
        """Add vehicles, or replace those of the same VIN: all of them or none."""
        newest = {vehicle[0]: dict(zip(SCHEMA, vehicle, strict=True)) for vehicle in vehicles}
        rows = list(newest.values())
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            VEHICLES.create(connection, checkfirst=True)
            for at in range(0, len(rows), AT_ONCE):
                some = rows[at : at + AT_ONCE]
                connection.execute(delete(VEHICLES).where(VEHICLES.c.vin.in_([row["vin"] for row in some])))
                connection.execute(insert(VEHICLES), some)


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
