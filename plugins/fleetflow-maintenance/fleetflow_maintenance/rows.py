"""CSV files that people write: read with or without a header, every bad row named with its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetflow.errors import FleetflowError

NAMED = 5
"""How many bad rows an error names."""


class RowsError(FleetflowError):
    """A file that cannot be read, or has rows that cannot be used."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line number, and its cells under the names of the columns, without blanks around."""

    line: int
    cells: Mapping[str, str]


def rows_of(file: Path, columns: Sequence[str], needed: Sequence[str]) -> Iterator[Row | str]:
    """Yield the rows of a CSV file; one that cannot be used as text that names it.

    A first row that has all of `needed` in it is a header and gives the order of the columns; otherwise the
    order is that of `columns`. Missing cells are empty; a row without a cell of `needed` cannot be used.
    Raises RowsError when the file cannot be read.
    """
    order = list(columns)
    first = True
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                names = [cell.lower() for cell in cells]
                if first and set(needed) <= set(names):
                    order, first = names, False
                    continue
                first = False
                found = dict.fromkeys(columns, "") | dict(zip(order, cells, strict=False))
                missing = [name for name in needed if not found[name]]
                if missing:
                    yield f"line {reader.line_num} ({','.join(row)!r}) has no {' and no '.join(missing)}"
                else:
                    yield Row(reader.line_num, found)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RowsError(
            f"{file} cannot be read: {error}", f"expected a CSV file {','.join(columns)}"
        ) from error


def year_of(row: Row) -> int | str | None:
    """Return the year of a row, None when it is empty, text that names the row when it is no year."""
    text = row.cells["year"]
    if not text:
        return None
    if text.isascii() and text.isdigit() and 1800 <= int(text) <= 2999:
        return int(text)
    return f"line {row.line} has {text!r} as its year"


def refuse(file: Path, problems: Sequence[str]) -> None:
    """Raise RowsError that names the problems, the first few of them; do nothing when there are none."""
    if problems:
        more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise RowsError(
            f"{file} has rows that cannot be used: {'; '.join(problems[:NAMED])}{more}",
            "correct them and try again; nothing was done",
        )
