"""DuckDB, closed to everything but the tables that it is given."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import duckdb
import polars as pl

from fleetflow.contracts.vehicles import Record
from fleetflow_query.guard import HINT, QueryError, check, check_condition, nearest, told
from fleetflow_query.settings import QuerySettings
from fleetflow_query.stores import EXTRA, Stores
from fleetflow_query.tables import table

T = TypeVar("T")

CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    # nothing of a question is written to a disk
    "temp_directory": "",
    "lock_configuration": "true",
}
SIMPLE = frozenset(
    {
        "bigint",
        "blob",
        "boolean",
        "date",
        "decimal",
        "double",
        "float",
        "hugeint",
        "integer",
        "smallint",
        "time",
        "timestamp",
        "timestamp with time zone",
        "timestamp_ms",
        "timestamp_ns",
        "timestamp_s",
        "tinyint",
        "ubigint",
        "uinteger",
        "usmallint",
        "utinyint",
        "varchar",
    }
)
"""Types of DuckDB that Polars has too; others are handed on as text."""
UNKNOWN = re.compile(r'(?:Referenced column|column) "([^"]+)" (?:not found|does not exist)|named "([^"]+)"')


class DuckQuery:
    """Answers questions about vehicles, events and rejects (`fleetflow.contracts.query.Query`).

    Each question is answered by a DuckDB of its own, in memory, with the tables as they are at that moment.
    Raises QueryError for a question that is wrong, not allowed, or takes too much time or memory. May be
    used by several threads.
    """

    def __init__(self, stores: Stores, settings: QuerySettings) -> None:
        self._stores = stores
        self._settings = settings

    def where(self, expression: str, limit: int | None = None) -> list[Record]:
        """Return the records of the vehicles map for which a condition holds, in order of VIN."""
        with self._open() as connection:
            statement = check_condition(connection, expression)
            records = self._stores.records()
            vehicles = self._load(connection, "vehicles", self._vehicles(records))
            for name in check(connection, statement) - {"vehicles"}:
                self._load(connection, name, self._stores.table(name))
            found = self._answer(connection, f"{statement} order by vin", limit, vehicles.columns)
        by_vin = {record["vin"]: record for record in records}
        return [by_vin[vin] for vin in found["vin"].to_list()]

    def sql(self, statement: str, limit: int | None = None) -> pl.DataFrame:
        """Return the answer to a SELECT over the tables `vehicles`, `events` and `rejects`."""
        with self._open() as connection:
            columns: list[str] = []
            for name in sorted(check(connection, statement)):
                if name == "vehicles":
                    content = self._vehicles(self._stores.records())
                else:
                    content = self._stores.table(name)
                columns += self._load(connection, name, content).columns
            return self._answer(connection, statement, limit, columns)

    def close(self) -> None:
        """Let go of the stores."""
        self._stores.close()

    def _vehicles(self, records: list[Record]) -> pl.DataFrame:
        return table(records, {**self._stores.columns, **EXTRA})

    @contextlib.contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        settings = self._settings
        limits = {"threads": str(settings.threads), "memory_limit": f"{settings.memory_mb}MB"}
        connection = duckdb.connect(":memory:", config={**CLOSED, **limits})
        try:
            yield connection
        finally:
            connection.close()

    def _load(self, connection: duckdb.DuckDBPyConnection, name: str, content: pl.DataFrame) -> pl.DataFrame:
        try:
            connection.register("_given", _Stream(content))
            connection.execute(f"create table {name} as select * from _given")
            connection.unregister("_given")
        except duckdb.OutOfMemoryException as error:
            raise QueryError(
                f"the table {name} needs more memory than a question may have: {told(error)}",
                "raise [query] memory_mb",
            ) from error
        return content

    def _answer(
        self, connection: duckdb.DuckDBPyConnection, statement: str, limit: int | None, columns: list[str]
    ) -> pl.DataFrame:
        most = self._settings.most_rows
        wanted = most + 1 if limit is None else min(limit, most + 1)

        def answer() -> pl.DataFrame:
            return pl.DataFrame(_simple(connection.sql(statement).limit(wanted)))

        found = self._limited(connection, answer, columns)
        if found.height > most:
            raise QueryError(
                f"the answer has more than {most} rows", "ask for less, or raise [query] most_rows"
            )
        return _plain(found)

    def _limited(
        self, connection: duckdb.DuckDBPyConnection, answer: Callable[[], T], columns: list[str]
    ) -> T:
        timer = threading.Timer(self._settings.time_limit_s, connection.interrupt)
        timer.start()
        try:
            return answer()
        except duckdb.InterruptException as error:
            raise QueryError(
                f"the answer takes longer than {self._settings.time_limit_s:g} s",
                "ask for less, or raise [query] time_limit_s",
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise QueryError(
                f"the answer needs more than {self._settings.memory_mb} MB",
                "ask for less, or raise [query] memory_mb",
            ) from error
        except (duckdb.Error, pl.exceptions.PolarsError, NotImplementedError) as error:
            raise _explained(error, columns) from error
        finally:
            timer.cancel()
            timer.join()


class _Stream:
    """A table as nothing but a stream of Arrow data: DuckDB needs no other library to read it."""

    def __init__(self, content: pl.DataFrame) -> None:
        self._content = content

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        return self._content.__arrow_c_stream__(requested_schema)


def _simple(answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return `answer` with names that differ, and texts in place of values that columns elsewhere lack."""
    names: dict[str, None] = {}
    columns: list[str] = []
    for index, (name, dtype) in enumerate(zip(answer.columns, answer.types, strict=True), start=1):
        new, number = name, 2
        while new in names:
            new, number = f"{name}_{number}", number + 1
        names[new] = None
        quoted = '"' + new.replace('"', '""') + '"'
        columns.append(
            f"#{index} as {quoted}" if _is_simple(dtype) else f"cast(#{index} as varchar) as {quoted}"
        )
    return answer.project(", ".join(columns))


def _is_simple(dtype: Any) -> bool:
    if dtype.id in {"list", "struct"}:
        return all(_is_simple(child) for _, child in dtype.children)
    return dtype.id in SIMPLE


def _explained(error: Exception, columns: list[str]) -> QueryError:
    text = told(error)
    unknown = UNKNOWN.search(text) if isinstance(error, duckdb.BinderException) else None
    if unknown:
        name = unknown[1] or unknown[2]
        return QueryError(f"there is no column {name!r:.100}", nearest(name, columns))
    return QueryError(f"the question cannot be answered: {text:.500}", HINT)


def _plain(found: pl.DataFrame) -> pl.DataFrame:
    """Return whole numbers as such: DuckDB adds them up with more digits than others have."""
    wide = [
        name for name, dtype in found.schema.items() if isinstance(dtype, pl.Decimal) and dtype.scale == 0
    ]
    for name in wide:
        with contextlib.suppress(pl.exceptions.InvalidOperationError):
            found = found.with_columns(pl.col(name).cast(pl.Int64))
    return found
