"""The peers: each a small program of its own under `programs/`, written as that engine's users would."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import polars as pl

from benchmarks.answers import COLUMNS, read_csv
from benchmarks.contestants.base import PROGRAMS, Command, Contestant, clean_environment
from benchmarks.environments import Missing
from benchmarks.inputs import Input, header_copy


class Program(Contestant):
    """A program that is given the directory and the file for its answer."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def command(self, python: str, given: Input, folder: Path) -> Command:
        """Return the command of the program."""
        argv = [python, str(PROGRAMS / self.program), *self._arguments(given, folder), str(self._workers)]
        return Command(argv, clean_environment())

    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the answer, which is a CSV file."""
        return read_csv(folder / "answer.csv")

    def _arguments(self, given: Input, folder: Path) -> list[str]:
        return [str(given.directory), str(folder / "answer.csv")]


class TextbookMap(Program):
    """Bytewax as in its documentation, one write to a diskcache map per newer ping, recovery on."""

    name = "Bytewax, a store write per ping"
    promise = "durable, resumes"
    kind = "stream"
    requirements = ("bytewax==0.21.1", "diskcache>=5.6.3,<6")
    program = "bytewax_textbook.py"

    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the map."""
        import diskcache  # noqa: PLC0415 - only here

        with closing(diskcache.Cache(str(folder / "map"))) as cache:
            rows = [json.loads(cache[vin]) for vin in cache]
        return pl.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, schema=COLUMNS)

    def _arguments(self, given: Input, folder: Path) -> list[str]:
        return [str(given.directory), str(folder / "map"), str(folder / "answer.csv")]


class TextbookMemory(Program):
    """The same flow without a store and without recovery: the answer is written once, at the end."""

    name = "Bytewax, no store"
    promise = "nothing until the end"
    kind = "stream"
    requirements = ("bytewax==0.21.1", "diskcache>=5.6.3,<6")
    program = "bytewax_textbook.py"

    def _arguments(self, given: Input, folder: Path) -> list[str]:
        return [str(given.directory), "-", str(folder / "answer.csv")]


class Pathway(Program):
    """Pathway, on a copy of the files that has headers, which its reader needs."""

    promise = "nothing until the end"
    kind = "stream"
    requirements = ("pathway>=0.33",)
    program = "pathway_latest.py"

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.name = f"Pathway, {workers} thread{'s' if workers != 1 else ''}"

    def prepare(self, given: Input) -> None:
        """Copy the input, with headers."""
        header_copy(given)

    def _arguments(self, given: Input, folder: Path) -> list[str]:
        return [str(header_copy(given)), str(folder / "answer.csv")]


class FlinkSQL(Program):
    """Flink SQL as a stream, in one process with its Java machine."""

    name = "Flink SQL"
    promise = "nothing (no checkpoints)"
    kind = "stream"
    requirements = ("apache-flink>=2.3",)
    program = "flink_latest.py"

    def prepare(self, given: Input) -> None:
        """Raise Missing where there is no Java."""
        if shutil.which("java") is None:
            raise Missing("there is no java")

    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the last change of each vehicle; changes look like `2> +U[vin, 1.0, 2.0, 3.0]`."""
        changes = pl.read_csv(
            folder / "log", has_header=False, separator="\x01", quote_char=None, new_columns=["line"]
        )
        found = (
            changes.lazy()
            .filter(pl.col("line").str.contains(r"\+[IU]\["))
            .select(pl.col("line").str.extract(r"\+[IU]\[(.*)\]").str.split_exact(", ", 3).alias("record"))
            .unnest("record")
        )
        return (
            found.rename({f"field_{index}": name for index, name in enumerate(COLUMNS)})
            .unique("vin", keep="last", maintain_order=True)
            .cast(COLUMNS)  # type: ignore[arg-type]
            .collect()
        )

    def _arguments(self, given: Input, folder: Path) -> list[str]:
        return [str(given.directory)]


class DuckDBScan(Program):
    """One scan with all cores: what a batch engine needs for the same files."""

    name = "DuckDB scan"
    promise = "a limit: no stream"
    kind = "limit"
    requirements = ("duckdb>=1.2",)
    program = "duckdb_scan.py"


class PolarsScan(Program):
    """One scan with all cores: what a batch engine needs for the same files."""

    name = "Polars scan"
    promise = "a limit: no stream"
    kind = "limit"
    requirements = ("polars>=2.1",)
    program = "polars_scan.py"
