"""Downloads of the vehicles that a reader chose, as CSV and JSON, piece by piece."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from fleetflow_ui.background import in_words, pool
from fleetflow_ui.context import Context
from fleetflow_ui.rows import Row, record_of, value
from fleetflow_ui.vehicle_rows import COLUMNS, Choice, all_rows, chosen, questions_of, spreadsheet

PIECE = 2000
"""Vehicles that are written at once."""
TYPES = {"csv": "text/csv; charset=UTF-8", "json": "application/json; charset=UTF-8"}


def address(choice: Choice, kind: str) -> str:
    """Return where a choice is downloaded from, relative to a page of the dashboard."""
    asked = {
        "q": choice.search,
        "where": choice.where,
        "sort": choice.sort,
        "desc": "1" if choice.descending else "",
        "columns": ",".join(choice.columns),
    }
    return f"export/vehicles.{kind}?{urlencode({name: value for name, value in asked.items() if value})}"


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    """Yield a CSV file (RFC 4180) of `columns`; text that a spreadsheet would run begins with `'`."""
    for start in range(0, max(len(rows), 1), PIECE):
        text = io.StringIO()
        writer = csv.writer(text)
        if start == 0:
            writer.writerow([spreadsheet(name) for name in columns])
        writer.writerows(
            [spreadsheet(value(row, name)) for name in columns] for row in rows[start : start + PIECE]
        )
        yield text.getvalue()


def as_json(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a JSON array with one whole record per line."""
    yield "["
    for start in range(0, len(rows), PIECE):
        lines = ",\n".join(
            json.dumps(record_of(row), ensure_ascii=False) for row in rows[start : start + PIECE]
        )
        yield f"{',' if start else ''}\n{lines}"
    yield "\n]\n"


class VehiclesExport(RequestHandler):
    """`GET /export/vehicles.csv|json?q=&where=&sort=&desc=&columns=`: what the table shows, all pages."""

    def initialize(self, context: Context) -> None:
        """Take what all pages share."""
        self._context = context

    def _choice(self) -> Choice:
        columns = [name for name in self.get_query_argument("columns", "").split(",") if name]
        return Choice(
            self.get_query_argument("q", ""),
            self.get_query_argument("where", ""),
            self.get_query_argument("sort", "vin"),
            self.get_query_argument("desc", "") == "1",
            tuple(columns or COLUMNS),
        )

    async def get(self, kind: str) -> None:
        """Answer with the file; 400 and the reason for a condition that cannot be asked."""
        choice = self._choice()
        reader = self._context.reader
        loop = asyncio.get_running_loop()
        if reader.fleet.problem:
            self._refuse(503, f"The vehicles map cannot be read: {reader.fleet.problem}")
            return
        try:
            found = await loop.run_in_executor(
                pool(), chosen, all_rows(self._context), choice, questions_of(self._context)
            )
        except Exception as error:
            message, hint = in_words(error)
            self._refuse(400, f"{message}\n{hint}".strip())
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self.set_header("Content-Type", TYPES[kind])
        self.set_header("Content-Disposition", f'attachment; filename="vehicles-{stamp}.{kind}"')
        self.set_header("Cache-Control", "no-store")
        pieces = as_csv(found, choice.columns) if kind == "csv" else as_json(found)
        try:
            while (piece := await loop.run_in_executor(pool(), next, pieces, None)) is not None:
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return  # the reader went away

    def _refuse(self, status: int, why: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(f"{why}\n")


def routes(context: Context) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the exports' entry for `extra_patterns` of a Bokeh server."""
    return [(r"/export/vehicles\.(csv|json)", VehiclesExport, {"context": context})]
