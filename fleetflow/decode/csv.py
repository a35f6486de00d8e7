"""CSV lines to pings, by columns.

Lines of the usual form are read in C where that was compiled (`fleetflow.native`), or a handful of them in
Python (`handful`). The others, or all of them, are read as one table with Polars, in which every line is a
row; what cannot be a number becomes null there and the row becomes a reject. Where Polars does not see one
row per line, or sees bytes that are not UTF-8, the few lines concerned are judged one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise

import numpy as np
import polars as pl

from fleetflow.contracts.payload import Payload, Place, Reject
from fleetflow.contracts.schema import Decoded
from fleetflow.decode import handful
from fleetflow.decode.field import Field
from fleetflow.decode.lines import Lines, Locator, SequenceLocator
from fleetflow.decode.merge import MALFORMED
from fleetflow.frames import taken
from fleetflow.native import lines as native

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SHOWN_BYTES = 80
FEW_OTHERS = 200


class CsvDecoder:
    """Decodes `text/csv` payloads of whole lines."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = [field for field in fields if field.csv]
        self._columns = {field.name: field.dtype for field in fields}
        # lists and text are read as text; a field of the key's kind is allowed to be empty (a rule judges it)
        self._table = {
            field.name: pl.String if field.dtype in (pl.String, pl.List(pl.String)) else field.dtype
            for field in self._fields
        }
        self._numbers = [
            field.name for field in self._fields if field.required and self._table[field.name] != pl.String
        ]
        self._texts = [
            field.name for field in self._fields if field.required and self._table[field.name] == pl.String
        ]
        self._required = sum(field.required for field in self._fields)
        self._defaults = {
            field.name: [] if field.default is None and _is_list(field) else field.default for field in fields
        }
        self._absent = {
            field.name: _constant(field.name, self._defaults[field.name], field.dtype) for field in fields
        }
        self._empty = {
            field.name: _constant(field.name, [], field.dtype) for field in fields if _is_list(field)
        }
        self._native = None
        if all(field.required or field.default in (None, []) for field in self._fields):
            self._native = native.line_reader([field.dtype for field in self._fields], self._required)

    def decode(self, payloads: Sequence[Payload]) -> Decoded:
        """Turn payloads into pings and rejects, one record per line."""
        if self._native is not None:
            read = self._native.read([payload.data for payload in payloads], [p.start for p in payloads])
            if read is not None:
                return self._finish(payloads, read)
        return self._by_columns(payloads)[0]

    def _finish(self, payloads: Sequence[Payload], read: native.Lines) -> Decoded:
        """Return what was read in C, and what is to be said of the lines that were not."""
        names = (*(field.name for field in self._fields), "sequence")
        pings = self._complete([column.alias(name) for name, column in zip(names, read.columns, strict=True)])
        if not read.strange:
            return Decoded(pings, [], read.records, self._locator(payloads, read, pings))
        strange = [_piece(payloads[number], start, end) for number, start, end, _ in read.strange]
        others, rows = self._by_columns(strange)
        numbers = np.array([line for *_, line in read.strange], np.int64)
        plain = np.delete(np.arange(sum(read.records)), numbers)
        if not others.pings.height:
            locate = self._locator(payloads, read, pings, plain)
            return Decoded(pings, others.rejects, read.records, locate)
        pings, places = _woven(pings, plain, others.pings, numbers if rows is None else numbers[rows])
        locate = self._locator(payloads, read, pings, places)
        return Decoded(pings, others.rejects, read.records, locate)

    @staticmethod
    def _locator(
        payloads: Sequence[Payload], read: native.Lines, pings: pl.DataFrame, rows: np.ndarray | None = None
    ) -> SequenceLocator:
        return SequenceLocator(payloads, read.records, pings["sequence"], rows)

    def _by_columns(self, payloads: Sequence[Payload]) -> tuple[Decoded, np.ndarray | None]:
        """Return all that is to be said of payloads, and of which lines the pings are, None: of all."""
        lines = Lines(payloads)
        few = handful.read(lines.data, self._fields, self._required)
        if few is not None:
            pings = self._complete([*few, lines.sequence])
            return Decoded(pings, [], lines.records, Locator(lines, None)), None
        table = self._read(lines.data, lines).hstack([lines.sequence])
        if any(table[name].null_count() for name in self._numbers):
            good = table.select(pl.all_horizontal(pl.col(self._numbers).is_not_null())).to_series()
            bad = good.not_().arg_true().to_list()
            rejects = [self._reject(place, payload) for place, payload in lines.at(bad)]
            rows = good.arg_true().to_numpy()
            table = table.filter(good)
        else:
            rejects, rows = [], None
        return Decoded(self._conform(table), rejects, lines.records, Locator(lines, rows)), rows

    def _read(self, data: bytes, lines: Lines) -> pl.DataFrame:
        """Return one row per line; a row that cannot be used has null in a number column."""
        if not data:
            return pl.DataFrame(schema=self._table)
        table = self._parse_strictly(data)
        if table is not None and table.height == len(lines):
            return table
        try:
            table = self._parse(data)
        except pl.exceptions.ComputeError:
            table = None
        if table is not None and table.height == len(lines):
            return table
        # bytes that are not UTF-8, or a shape that Polars reads in another way: line by line, but only
        # the lines that are not plain are kept from the reader, each replaced by an empty one
        clean = bytearray(data)
        for start, end in lines.bounds():
            line = data[start:end]
            if not _is_plain(line):
                clean[start : end - 1] = b"," * (end - start - 1)
        table = self._parse(bytes(clean))
        if table.height == len(lines):
            return table
        return pl.concat([self._parse(bytes(clean[start:end])).head(1) for start, end in lines.bounds()])

    def _parse_strictly(self, data: bytes) -> pl.DataFrame | None:
        """Return the rows of lines that all are as the first one says, None when one is not.

        A quarter quicker than `_parse`, which looks for columns that are not there and is ready for what is
        no number; and giving up at the first strange line costs little.
        """
        columns = data[: data.find(b"\n") + 1].count(b",") + 1
        if not self._required <= columns <= len(self._table):
            return None
        try:
            return pl.read_csv(
                data,
                has_header=False,
                schema=dict(islice(self._table.items(), columns)),
                quote_char=None,
                extra_columns="raise",
                missing_columns="raise",
                raise_if_empty=False,
            )
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
            return None

    def _parse(self, data: bytes) -> pl.DataFrame:
        return pl.read_csv(
            data,
            has_header=False,
            schema=self._table,
            quote_char=None,
            ignore_errors=True,
            extra_columns="ignore",
            missing_columns="insert",
            raise_if_empty=False,
        )

    def _conform(self, table: pl.DataFrame) -> pl.DataFrame:
        columns: list[pl.Series | pl.Expr] = []
        for name, dtype in self._columns.items():
            # a column that no line has is its default in each row, which Polars need not write out
            if name not in table.columns:
                columns.append(self._absent[name])
                continue
            column = table[name]
            if dtype == pl.List(pl.String):
                columns.append(self._empty[name] if column.null_count() == len(column) else _words(column))
            elif name in self._texts and column.null_count():
                columns.append(column.fill_null(""))
            else:
                columns.append(column)
        return table.select(columns)

    def _complete(self, found: Sequence[pl.Series]) -> pl.DataFrame:
        """Return the columns that lines have, with their defaults for those that no line has."""
        by_name = {column.name: column for column in found}
        for name, dtype in self._columns.items():
            if name not in by_name:
                by_name[name] = pl.Series(name, [self._defaults[name]], dtype).new_from_index(
                    0, len(found[0])
                )
        return pl.DataFrame([by_name[name] for name in self._columns])

    def _reject(self, place: Place, payload: Payload) -> Reject:
        raw = place.raw.rstrip(b"\r\n")
        shown = repr(raw[:SHOWN_BYTES])[1:] + ("…" if len(raw) > SHOWN_BYTES else "")
        names = ",".join(field.name for field in self._fields)
        if not raw:
            reason = f"the line is empty, expected {names}"
        elif not _is_utf8(raw):
            reason = f"{shown} is not UTF-8"
        elif raw.count(b",") + 1 < self._required:
            reason = f"{shown} has {raw.count(b',') + 1} columns, expected at least {self._required}: {names}"
        else:
            reason = f"{shown} has something that is not a number in {', '.join(self._numbers)}"
        return Reject(place, MALFORMED, reason, payload.received_at)


def _piece(payload: Payload, start: int, end: int) -> Payload:
    """Return some bytes of a payload as one of their own."""
    # `dataclasses.replace` takes three times as long
    return Payload(
        payload.source,
        payload.partition,
        payload.resource,
        payload.start + start,
        payload.start + end,
        payload.data[start:end],
        payload.media_type,
        payload.received_at,
        payload.digest,
    )


def _woven(
    pings: pl.DataFrame, lines: np.ndarray, others: pl.DataFrame, other_lines: np.ndarray
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return both in the order of their lines, with the lines."""
    at = np.searchsorted(lines, other_lines)
    places = np.insert(lines, at, other_lines)
    if len(at) <= FEW_OTHERS:
        # a few cut in: to choose all rows anew would take many times the memory
        borders = [0, *at.tolist(), pings.height]
        parts = []
        for number, (begin, end) in enumerate(pairwise(borders)):
            parts += [pings.slice(begin, end - begin), others.slice(number, 1)]
        return pl.concat(parts, rechunk=True), places
    rows = np.empty(len(places), np.uint32)
    cut_in = np.zeros(len(places), bool)
    cut_in[at + np.arange(len(at))] = True
    rows[cut_in] = np.arange(pings.height, len(places))
    rows[~cut_in] = np.arange(pings.height)
    return taken(pl.concat([pings, others], rechunk=True), pl.Series(rows)), places


def _is_list(field: Field) -> bool:
    return field.dtype == pl.List(pl.String)


def _constant(name: str, value: object, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(pl.Series(name, [value], dtype)).first().alias(name)


def _words(texts: pl.Series) -> pl.Series:
    """Split texts at spaces; no text is no words."""
    if not texts.null_count():
        return _split(texts)
    # most pings have none: only the others are split, and the place of nothing is behind them
    there = texts.is_not_null()
    words = _split(texts.drop_nulls()).append(pl.Series([[]], dtype=pl.List(pl.String))).rechunk()
    places = np.where(there.to_numpy(), np.cumsum(there.to_numpy()) - 1, len(words) - 1)
    return words.gather(places).alias(texts.name)


def _split(texts: pl.Series) -> pl.Series:
    texts = texts.str.strip_chars()
    words = texts.str.split(" ")
    if (texts == "").any() or texts.str.contains("  ", literal=True).any():
        words = words.list.eval(pl.element().filter(pl.element() != ""))
    return words


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_plain(line: bytes) -> bool:
    return _is_utf8(line) and line.endswith(b"\n")
