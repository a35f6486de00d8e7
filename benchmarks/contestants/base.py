"""What it takes to take part."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from benchmarks.inputs import Input

Kind = Literal["ours", "stream", "limit"]
PROGRAMS = Path(__file__).parent.parent / "programs"


@dataclass(frozen=True, slots=True)
class Command:
    """What to run; `python` is the interpreter that has the contestant's requirements."""

    argv: Sequence[str]
    environment: Mapping[str, str]


class Contestant(ABC):
    """One engine with one way to run it. Its whole process is measured, from start to end."""

    name: str
    promise: str
    """What it keeps across a crash, in a few words, because that is what the time buys."""
    kind: Kind
    requirements: ClassVar[Sequence[str]] = ()
    program: ClassVar[str] = ""
    """What it has of the Python index, and the version-independent part of the command."""

    def prepare(self, given: Input) -> None:  # noqa: B027 - most need nothing
        """Make what it needs beside the input; not measured."""

    @abstractmethod
    def command(self, python: str, given: Input, folder: Path) -> Command:
        """Return the command that reads `given` and leaves its answer in `folder`, an empty folder."""

    @abstractmethod
    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the answer it left: vin, latitude, longitude, time, a row per vehicle."""

    def account(self, given: Input, folder: Path) -> None:  # noqa: B027 - most count nothing
        """Raise WrongAnswer when what it counted does not add up."""


def clean_environment() -> dict[str, str]:
    """Return the environment without what could change how a contestant runs."""
    ours = ("FLEETFLOW_", "BYTEWAX_", "PATHWAY_", "POLARS_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
