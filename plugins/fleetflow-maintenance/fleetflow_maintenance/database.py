"""The table of vehicles in any database that SQLAlchemy knows, which takes 0.2 s to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

from fleetflow_maintenance.errors import RegisterError

VEHICLES = Table(
    "vehicles",
    MetaData(),
    Column("vin", String(64), primary_key=True),
    Column("year", Integer, nullable=True),
    Column("make", String(100), nullable=False),
    Column("model", String(100), nullable=False),
)
AT_ONCE = 500
"""Rows per statement: databases limit how many values one may have."""


class Database:
    """The table `vehicles` (vin, year, make, model) of a database. Keeps no connection."""

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

    def read(self) -> list[tuple[Any, ...]]:
        """Return all rows; none when the table does not exist yet."""
        with self._connection() as connection:
            if not inspect(connection).has_table(VEHICLES.name):
                return []
            return [tuple(row) for row in connection.execute(select(VEHICLES)).all()]

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, or replace those of the same VIN: all of them or none. No two are of one VIN."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            VEHICLES.create(connection, checkfirst=True)
            for at in range(0, len(rows), AT_ONCE):
                some = rows[at : at + AT_ONCE]
                connection.execute(delete(VEHICLES).where(VEHICLES.c.vin.in_([row["vin"] for row in some])))
                connection.execute(insert(VEHICLES), some)
