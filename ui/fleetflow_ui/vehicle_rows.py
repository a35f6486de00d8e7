"""Which vehicles a table shows, in which order and columns: decided here, for the page and the exports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleetflow.contracts.query import Query
from fleetflow.contracts.vehicles import Record
from fleetflow.errors import FleetflowError
from fleetflow_ui import words
from fleetflow_ui.context import Context

ROWS = 100
"""Vehicles on one page of the table."""
COLUMNS = ("vin", "status", "time", "latitude", "longitude", "obd_codes", "source")
SEARCHED = ("vin", "status", "source")
MOMENTS = ("time", "received_at")
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection")."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader chose: words that VIN, status or source hold, a condition, order and columns."""

    search: str = ""
    where: str = ""
    sort: str = "vin"
    descending: bool = False
    columns: tuple[str, ...] = COLUMNS


class Questions:
    """The query language, if a plugin offers one: opened at the first question, one question at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._query: Query | None = None
        self._opened = False

    def _open(self) -> Query | None:
        if not self._opened:
            self._query = self._context.plugins.at_most_one(
                "fleetflow_query", "the query language", self._context.configuration
            )
            self._opened = True
        return self._query

    @property
    def offered(self) -> bool:
        """Whether conditions can be asked for; one that cannot now says so when it is used."""
        with self._lock:
            try:
                return self._open() is not None
            except FleetflowError:
                return True

    def vins(self, condition: str) -> set[str]:
        """Return the VINs of the vehicles for which a condition holds; raises FleetflowError."""
        with self._lock:
            query = self._open()
            if query is None:
                raise FleetflowError("no installed plugin knows conditions", "search without one")
            return {str(record["vin"]) for record in query.where(condition)}

    def close(self) -> None:
        """Let go of the stores."""
        with self._lock:
            if self._query is not None:
                self._query.close()


def all_records(context: Context) -> list[Record]:
    """Return the newest record of each vehicle."""
    fleet = context.reader.fleet
    with fleet.lock:
        return list(fleet.records)


def questions_of(context: Context) -> Questions:
    """Return the query language as all sessions share it."""
    return context.shared.get("vehicles.questions", lambda: Questions(context))


def chosen(records: Sequence[Record], choice: Choice, questions: Questions) -> list[Record]:
    """Return all records of a choice, in order. Takes about 0.1 s for 100,000: not for the server's loop."""
    found: Iterable[Record] = records
    if choice.where:
        vins = questions.vins(choice.where)
        found = (record for record in found if record["vin"] in vins)
    if choice.search:
        found = searched(found, choice.search)
    return ordered(found, choice.sort, choice.descending)


def searched(records: Iterable[Record], search: str) -> Iterator[Record]:
    """Yield the records of which VIN, status and source together hold each word, in any case."""
    wanted = search.lower().split()
    for record in records:
        text = "\n".join(str(record.get(name) or "") for name in SEARCHED).lower()
        if all(word in text for word in wanted):
            yield record


def ordered(records: Iterable[Record], field: str, descending: bool) -> list[Record]:
    """Return records by one field: numbers by size, all else by its text, those without it at the end."""
    having: list[Record] = []
    lacking: list[Record] = []
    for record in records:
        (lacking if record.get(field) is None else having).append(record)
    values = [record[field] for record in having]
    if all(isinstance(value, int | float) for value in values):
        numbers = np.asarray(values, dtype=float)
        order = np.argsort(-numbers if descending else numbers, kind="stable").tolist()
    else:
        texts = [cell(field, value) for value in values]
        order = sorted(range(len(texts)), key=texts.__getitem__, reverse=descending)
    return [*(having[index] for index in order), *lacking]


def fields_of(records: Iterable[Record]) -> list[str]:
    """Return the names of all fields, those of the usual columns first."""
    found: set[str] = set().union(*records)
    return [*(name for name in COLUMNS if name in found), *sorted(found.difference(COLUMNS))]


def cell(field: str, value: Any) -> str:
    """Return a field's value as a reader sees it."""
    if value is None:
        return ""
    if field in MOMENTS and isinstance(value, int | float):
        return words.clock(value).removesuffix(" UTC")
    if isinstance(value, float):
        return f"{value:.5f}" if field in {"latitude", "longitude"} else f"{value:g}"
    return plain(value)


def plain(value: Any) -> str:
    """Return a value as text: lists of words separated by spaces, other structures as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False)


def spreadsheet(value: Any) -> Any:
    """Return a value for a CSV file: numbers as they are, text so that no spreadsheet runs it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(DANGEROUS) else text
