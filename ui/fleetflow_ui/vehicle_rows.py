"""Which vehicles a table shows, in which order and columns: decided here, for the page and the exports."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleetflow.contracts.query import Query
from fleetflow.errors import FleetflowError
from fleetflow_ui import words
from fleetflow_ui.context import Context
from fleetflow_ui.rows import Row, column

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


def all_rows(context: Context) -> list[Row]:
    """Return the newest record of each vehicle."""
    fleet = context.reader.fleet
    with fleet.lock:
        return list(fleet.rows)


def questions_of(context: Context) -> Questions:
    """Return the query language as all sessions share it."""
    return context.shared.get("vehicles.questions", lambda: Questions(context))


def chosen(rows: Sequence[Row], choice: Choice, questions: Questions) -> Sequence[Row]:
    """Return all records of a choice, in order. Takes about 0.1 s for 100,000: not for the server's loop."""
    found = rows
    if choice.where:
        vins = questions.vins(choice.where)
        found = [row for row, vin in zip(found, column(found, "vin"), strict=True) if vin in vins]
    if choice.search:
        found = searched(found, choice.search)
    return ordered(found, choice.sort, choice.descending)


def searched(rows: Sequence[Row], search: str) -> list[Row]:
    """Return the records of which VIN, status and source together hold each word, in any case."""
    wanted = search.lower().split()
    found = []
    for row, *told in zip(rows, *(column(rows, name) for name in SEARCHED), strict=True):
        text = "\n".join([str(each or "") for each in told]).lower()
        if all(word in text for word in wanted):
            found.append(row)
    return found


def ordered(rows: Sequence[Row], field: str, descending: bool) -> list[Row]:
    """Return records by one field: numbers by size, all else by its text, those without it at the end."""
    having, values, lacking = [], [], []
    for row, each in zip(rows, column(rows, field), strict=True):
        if each is None:
            lacking.append(row)
        else:
            having.append(row)
            values.append(each)
    if all(isinstance(each, int | float) for each in values):
        numbers = np.asarray(values, dtype=float)
        order = np.argsort(-numbers if descending else numbers, kind="stable").tolist()
    else:
        texts = [cell(field, each) for each in values]
        order = sorted(range(len(texts)), key=texts.__getitem__, reverse=descending)
    return [*(having[index] for index in order), *lacking]


def fields_of(rows: Iterable[Row]) -> list[str]:
    """Return the names of all fields, those of the usual columns first."""
    found: set[str] = set().union(*{row[0] for row in rows})
    return [*(name for name in COLUMNS if name in found), *sorted(found.difference(COLUMNS))]


def cell(field: str, given: Any) -> str:
    """Return a field's value as a reader sees it."""
    if given is None:
        return ""
    if field in MOMENTS and isinstance(given, int | float):
        return words.clock(given).removesuffix(" UTC")
    if isinstance(given, float):
        return f"{given:.5f}" if field in {"latitude", "longitude"} else f"{given:g}"
    return plain(given)


def plain(given: Any) -> str:
    """Return a value as text: lists of words separated by spaces, other structures as JSON."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return " ".join(given)
    return json.dumps(given, ensure_ascii=False)


def spreadsheet(given: Any) -> Any:
    """Return a value for a CSV file: numbers as they are, text so that no spreadsheet runs it."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given
    text = plain(given)
    return f"'{text}" if text.startswith(DANGEROUS) else text
