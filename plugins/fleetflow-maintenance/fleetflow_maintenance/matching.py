"""Which notice affects which vehicle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fleetflow.contracts.detector import Event

KIND = "maintenance"
STATUS = "MAINTENANCE"
ONLY_IF: Mapping[str, Sequence[Any]] = {"status": [None, STATUS, "SPEEDING"], "note": []}
"""What is worse, such as a crash, and what people wrote, stays on show."""


def plain(column: str) -> pl.Expr:
    """Return text as it is compared: small letters, without any blanks."""
    return pl.col(column).str.to_lowercase().str.replace_all(r"\s+", "")


def match(notices: pl.DataFrame, vehicles: pl.DataFrame) -> pl.DataFrame:
    """Return a row per notice and affected vehicle: number, note, vin, year, make, model (the vehicle's).

    A vehicle is affected when its make is the notice's, and its model and its year too, unless the notice
    leaves them empty; how letters and blanks are written does not matter. A notice of several rows affects a
    vehicle once, with the note of the first row that fits.
    """
    announced = notices.select(
        "number",
        "note",
        order=pl.int_range(pl.len()),
        on_year="year",
        on_make=plain("make"),
        on_model=plain("model"),
    )
    registered = vehicles.with_columns(on_make=plain("make"), on_model=plain("model"))
    return (
        registered.join(announced, on="on_make", suffix="_wanted")
        .filter(
            pl.col("on_year").is_null() | (pl.col("on_year") == pl.col("year")).fill_null(False),
            pl.col("on_model_wanted").is_null() | (pl.col("on_model_wanted") == pl.col("on_model")),
        )
        .sort("order", "vin")
        .unique(["number", "vin"], keep="first", maintain_order=True)
        .select("number", "note", "vin", "year", "make", "model")
    )


def update_of(note: str) -> dict[str, str]:
    """Return what is set on a vehicle that needs maintenance, status and note under `ONLY_IF`."""
    return {"maintenance": note, "status": STATUS, "note": note}


def notice_event(due: Mapping[str, Any], time: float, ping: Mapping[str, Any] | None = None) -> Event:
    """Return the event of one row of `match`.

    Its id is made of the notice's number and the VIN, so that batch and live rule do not double.
    """
    vehicle = " ".join(str(due[name]) for name in ("year", "make", "model") if due[name] is not None)
    note = f"notice {due['number']}" + (f": {due['note']}" if due["note"] else "")
    return Event(
        id=f"notice:{due['number']}:{due['vin']}",
        vin=due["vin"],
        time=time,
        kind=KIND,
        severity="warning",
        message=f"{due['vin']} ({vehicle}): {note}",
        data={
            "reason": "notice",
            **{name: due[name] for name in ("number", "note", "year", "make", "model")},
        },
        ping=ping or {},
        update=update_of(note),
        only_if=ONLY_IF,
    )
