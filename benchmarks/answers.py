"""The right answer, found by DuckDB, and whether a contestant's is the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.inputs import Input

COLUMNS = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
}
"""What an answer holds: the latest record of each vehicle."""


class WrongAnswer(Exception):
    """A contestant's answer is not the right one: its time does not count."""


def right_answer(given: Input) -> pl.DataFrame:
    """Return the latest record per vehicle, as DuckDB finds it by sorting, and keep it beside the input."""
    if given.answer.is_file():
        return pl.read_parquet(given.answer)
    if not given.pings:
        return pl.DataFrame(schema=COLUMNS)
    import duckdb  # noqa: PLC0415 - only needed once per input

    source = given.clean if given.bad_lines else given.directory / "*.csv"
    columns = "'vin': 'VARCHAR', 'latitude': 'DOUBLE', 'longitude': 'DOUBLE', 'time': 'DOUBLE'"
    if given.shape.codes:
        columns += ", 'obd_codes': 'VARCHAR'"
    query = f"""
        SELECT vin, latitude, longitude, time FROM read_csv('{source}', header = false, auto_detect = false,
            columns = {{{columns}}})
        QUALIFY row_number() OVER (PARTITION BY vin ORDER BY time DESC) = 1
    """
    with duckdb.connect() as connection:
        rows = connection.sql(query).fetchall()
    answer = pl.DataFrame(rows, schema=COLUMNS, orient="row").sort("vin")
    answer.write_parquet(given.answer)
    return answer


def check(found: pl.DataFrame, right: pl.DataFrame) -> None:
    """Raise WrongAnswer unless `found` holds exactly the vehicles and records of `right`."""
    found = found.select(list(COLUMNS)).cast(COLUMNS).sort("vin")  # type: ignore[arg-type]
    if found["vin"].n_unique() != found.height:
        raise WrongAnswer("a vehicle is in it twice")
    if found.height != right.height:
        raise WrongAnswer(f"{found.height:,} vehicles, expected {right.height:,}")
    both = right.join(found, on="vin", how="left", suffix="_found")
    same = both.select(
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_found")) for name in list(COLUMNS)[1:])
    ).to_series()
    if not same.all():
        bad = both.filter(~same)
        raise WrongAnswer(f"{bad.height:,} vehicles have another record, among them {bad.row(0)}")


def read_csv(file: Path) -> pl.DataFrame:
    """Return an answer that was written as CSV without a header."""
    return pl.read_csv(file, has_header=False, schema=COLUMNS)
