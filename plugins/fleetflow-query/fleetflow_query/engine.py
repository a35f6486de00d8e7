"""DuckDB, closed to everything but the tables that it is given."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import polars as pl

from fleetflow_query.errors import QueryError
from fleetflow_query.guard import HINT, check, check_condition, nearest, told

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
MORE_MEMORY = "ask for less, or raise [query] memory_mb"
UNKNOWN = re.compile(r'(?:Referenced column|column) "([^"]+)" (?:not found|does not exist)|named "([^"]+)"')


class Engine:
    """Answers one question, over tables that it is given, within a limit of memory for data.

    Raises QueryError for a question that is wrong or not allowed. What a question may take in other ways, and
    how long, is limited by whoever runs this (see `fleetflow_query.child`).
    """

    def __init__(self, threads: int, memory_mb: int) -> None:
        limits = {"threads": str(threads), "memory_limit": f"{memory_mb}MB"}
        self._memory_mb = memory_mb
        self._connection = duckdb.connect(":memory:", config={**CLOSED, **limits})
        self._columns: list[str] = []
        self._statement = ""

    def condition(self, expression: str) -> list[str]:
        """Take a condition on vehicles; returns the tables that it needs. The answer is their VINs."""
        statement = check_condition(self._connection, expression)
        self._statement = f"{statement} order by vin"
        return sorted(check(self._connection, statement))

    def statement(self, statement: str) -> list[str]:
        """Take a SELECT; returns the tables that it needs."""
        self._statement = statement
        return sorted(check(self._connection, statement))

    def load(self, name: str, content: pl.DataFrame) -> None:
        """Take the content of a table."""
        self._columns += content.columns
        with self._told():
            self._connection.register("_given", _Stream(content))
            self._connection.execute(f"create table {name} as select * from _given")
            self._connection.unregister("_given")

    def answer(self, limit: int) -> pl.DataFrame:
        """Return the answer, at most `limit` rows of it."""
        with self._told():
            return _plain(pl.DataFrame(_simple(self._connection.sql(self._statement).limit(limit))))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise QueryError(
                f"the answer takes more than {self._memory_mb} MB of memory", MORE_MEMORY
            ) from error
        except (duckdb.Error, pl.exceptions.PolarsError, NotImplementedError) as error:
            raise _explained(error, self._columns) from error

    def close(self) -> None:
        """Let go of the memory."""
        self._connection.close()


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
