"""Asking: a process per question, with an end to its time and memory."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

import polars as pl

from fleetflow.contracts.vehicles import Record
from fleetflow_query import messages
from fleetflow_query.errors import QueryError
from fleetflow_query.settings import QuerySettings
from fleetflow_query.stores import EXTRA, Stores
from fleetflow_query.tables import table

KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Environment that an interpreter needs; the rest is nothing that a question should find."""
START_S = 30.0
"""How long the process may take to start, on a machine that is busy."""


class DuckQuery:
    """Answers questions about vehicles, events and rejects (`fleetflow.contracts.query.Query`).

    Each question sees the tables as they are at that moment. Raises QueryError for a question that is wrong,
    not allowed, or takes too much time or memory. May be used by several threads.
    """

    def __init__(self, stores: Stores, settings: QuerySettings) -> None:
        self._stores = stores
        self._settings = settings

    def where(self, expression: str, limit: int | None = None) -> list[Record]:
        """Return the records of the vehicles map for which a condition holds, in order of VIN."""
        records: list[Record] = []

        def content(name: str) -> pl.DataFrame:
            if name != "vehicles":
                return self._stores.table(name)
            records.extend(self._stores.records())
            return self._vehicles(records)

        found = self._ask("condition", expression, limit, content)
        by_vin = {record["vin"]: record for record in records}
        return [by_vin[vin] for vin in found["vin"].to_list()]

    def sql(self, statement: str, limit: int | None = None) -> pl.DataFrame:
        """Return the answer to a SELECT over the tables `vehicles`, `events` and `rejects`."""

        def content(name: str) -> pl.DataFrame:
            return self._vehicles(self._stores.records()) if name == "vehicles" else self._stores.table(name)

        return self._ask("statement", statement, limit, content)

    def close(self) -> None:
        """Let go of the stores."""
        self._stores.close()

    def _vehicles(self, records: list[Record]) -> pl.DataFrame:
        return table(records, {**self._stores.columns, **EXTRA})

    def _ask(
        self, kind: str, text: str, limit: int | None, content: Callable[[str], pl.DataFrame]
    ) -> pl.DataFrame:
        settings = self._settings
        most = settings.most_rows
        question = {
            "kind": kind,
            "text": text.encode("utf-8", "replace").decode(),
            "limit": most + 1 if limit is None else min(limit, most + 1),
            "threads": settings.threads,
            "memory_mb": settings.memory_mb,
            # a net below the clock, should this process die meanwhile
            "cpu_s": math.ceil(2 * settings.time_limit_s * settings.threads + START_S),
        }
        with _Child(settings) as child:
            child.send(question)
            for name in child.receive(START_S + settings.time_limit_s)["tables"]:
                child.send_table(content(name))
            child.receive(settings.time_limit_s)
            found = child.receive_table()
        return self._checked(found)

    def _checked(self, found: pl.DataFrame) -> pl.DataFrame:
        most = self._settings.most_rows
        if found.height > most:
            raise QueryError(
                f"the answer has more than {most} rows", "ask for less, or raise [query] most_rows"
            )
        return found


class _Child:
    def __init__(self, settings: QuerySettings) -> None:
        self._settings = settings
        self._late = False
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fleetflow_query.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "POLARS_MAX_THREADS": str(settings.threads)},
        )

    def send(self, value: dict[str, Any]) -> None:
        self._sent(lambda to: messages.send(to, value))

    def send_table(self, content: pl.DataFrame) -> None:
        self._sent(lambda to: messages.send_table(to, content))

    def _sent(self, send: Callable[[IO[bytes]], None]) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin)
        except BrokenPipeError:
            # it has an answer already, or is dead: what is read next tells
            return

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return what the process says within so many seconds; QueryError when it says that it cannot."""
        timer = threading.Timer(seconds, self._stop)
        timer.start()
        try:
            assert self._process.stdout is not None
            value = messages.receive(self._process.stdout)
        except EOFError:
            raise self._died() from None
        finally:
            timer.cancel()
        if "error" in value:
            raise QueryError(value["error"], value["hint"])
        return value

    def receive_table(self) -> pl.DataFrame:
        assert self._process.stdout is not None
        try:
            return messages.receive_table(self._process.stdout)
        except EOFError:
            raise self._died() from None

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def _died(self) -> QueryError:
        code = self._process.wait()
        if self._late:
            return QueryError(
                f"the answer takes longer than {self._settings.time_limit_s:g} s",
                "ask for less, or raise [query] time_limit_s",
            )
        return QueryError(
            f"the answer takes more than {self._settings.memory_mb} MB of memory, or cannot be found at all"
            f" (the process that looked for it ended with {code})",
            "ask for less, or raise [query] memory_mb",
        )

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    # what was not taken any more is of no interest
                    continue
        self._process.wait()
