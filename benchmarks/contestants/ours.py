"""fleetflow by its real command: recovery on, the vehicles map, the quarantine and the ledger durable."""

from __future__ import annotations

import importlib.metadata
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import polars as pl

from benchmarks.answers import COLUMNS, WrongAnswer
from benchmarks.contestants.base import Command, Contestant, clean_environment
from benchmarks.inputs import Input

OPTIONAL = {"archive", "areas", "crash", "maintenance", "mileage", "speed"}
"""Plugins that are off unless a work is about them: none of the peers does what they do."""


class Fleetflow(Contestant):
    """`fleetflow run --once`; the answer is read from the vehicles map as any other program would read it."""

    kind = "ours"
    promise = "durable, exact, resumes"

    def __init__(self, workers: int | None = None, processes: int = 1, **settings: object) -> None:
        """`workers` None is the default of the command; `settings` are TABLE_KEY=value, or native=0."""
        self._workers = workers
        self._processes = processes
        self._settings = settings
        if settings.get("native") == 0:
            self.name = "fleetflow, nothing in C"
        elif workers is None and processes == 1:
            self.name = "fleetflow"
        elif processes > 1:
            self.name = f"fleetflow, {processes} processes"
        else:
            self.name = f"fleetflow, {workers} worker{'s' if workers != 1 else ''}"

    def command(self, python: str, given: Input, folder: Path) -> Command:
        """Return the command of a backfill."""
        argv = [python, "-P", "-m", "fleetflow", "run", "--once"]
        if self._workers is not None:
            argv += ["-w", str(self._workers)]
        if self._processes > 1:
            argv += ["-p", str(self._processes)]
        return Command(argv, environment(folder, given.directory, **self._settings))

    def answer(self, folder: Path) -> pl.DataFrame:
        """Return the vehicles map."""
        from fleetflow_vehicles.vehicles import Vehicles  # noqa: PLC0415 - peers run without it

        with closing(Vehicles(folder / "data" / "vehicles")) as vehicles:
            rows = [json.loads(text) for _, text in vehicles.texts()]
        return pl.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, schema=COLUMNS)

    def account(self, given: Input, folder: Path) -> None:
        """Raise WrongAnswer unless the ledger says that everything was read and what became of it."""
        wanted = (given.pings + given.bad_lines, given.bad_lines)
        found = counts(folder)
        if (found[0], found[3]) != wanted or found[0] != sum(found[1:]):
            raise WrongAnswer(
                f"the ledger has (read, applied, superseded, quarantined) {found}, wanted {wanted}"
            )


class Watched(Fleetflow):
    """fleetflow with detectors: a run in which one of `kinds` of events did not come is a failure.

    `events` has what the last run's store held, per kind.
    """

    def __init__(self, kinds: Sequence[str], **settings: object) -> None:
        """`settings` are TABLE_KEY=value."""
        super().__init__(**settings)
        self._kinds = kinds
        self.events: dict[str, int] = {}

    def account(self, given: Input, folder: Path) -> None:
        """Raise WrongAnswer unless the ledger is right and events of all kinds were stored."""
        super().account(given, folder)
        self.events = events(folder)
        missing = [kind for kind in self._kinds if not self.events.get(kind)]
        if missing:
            raise WrongAnswer(f"there was no event {', '.join(missing)}, only {self.events}")


def environment(folder: Path, alpha: Path | str = "", beta: str = "", **settings: object) -> dict[str, str]:
    """Return the environment of a job whose home is `folder`; `settings` are TABLE_KEY=value."""
    installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
    variables = {
        **clean_environment(),
        "FLEETFLOW_HOME": str(folder),
        "FLEETFLOW_ALPHA_DIR": str(alpha),
        "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(OPTIONAL & installed)),
    }
    if "beta" in installed:
        variables["FLEETFLOW_BETA_URL"] = beta
    for key, value in settings.items():
        variables[f"FLEETFLOW_{key.upper()}"] = str(value)
    return variables


def counts(folder: Path) -> tuple[int, int, int, int]:
    """Return the ledger's account of all sources: read, applied, superseded, quarantined."""
    from fleetflow.ledger.reader import Ledger  # noqa: PLC0415 - peers run without it

    try:
        by_source = Ledger(folder / "data" / "ledger").counts().values()
    except sqlite3.OperationalError as error:
        raise WrongAnswer(f"the ledger cannot be read: {error}") from error
    return (
        sum(count.read for count in by_source),
        sum(count.applied for count in by_source),
        sum(count.superseded for count in by_source),
        sum(count.quarantined for count in by_source),
    )


def events(folder: Path) -> dict[str, int]:
    """Return how many events of each kind are stored."""
    file = folder / "data" / "events" / "events.sqlite3"
    if not file.is_file():
        return {}
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("select kind, count(*) from events group by kind order by kind"))
