"""Work f: throughput and memory against size, and odd shapes that might be a cliff."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import inputs
from benchmarks.contestants.base import PROGRAMS, Command
from benchmarks.contestants.ours import Fleetflow
from benchmarks.context import Context
from benchmarks.inputs import Input, Shape
from benchmarks.results import Aim, Outcome
from benchmarks.trials import Effort, Trial, compete

BASE = Shape(2_000_000, 1_000, 1_000)
SHAPES = {
    "base": BASE,
    "10 times the pings": replace(BASE, pings=10 * BASE.pings),
    "100 times the vehicles": replace(BASE, vehicles=100 * BASE.vehicles),
    "10,000 files": replace(BASE, vehicles=10_000, files=10_000),
    "one huge file": replace(BASE, files=1),
    # twice as many would go on beyond today
    "one hot vehicle": replace(BASE, pings=1_000_000, vehicles=1, files=1),
}
LEAST_S = 0.05
"""Less time than this beyond start and end is what two runs of the same thing differ by."""
SLOW = {
    "files that take 0.2 ms a call": {"BENCHMARK_FILE_S": "0.0002"},
    "a store that takes 20 ms a write": {"BENCHMARK_COMMIT_S": "0.02"},
}
GROWN = ("base", "10 times the pings", "100 times the vehicles", "10,000 files")
MOST_BYTES = 1.5 * 2**30


class Slow(Fleetflow):
    """fleetflow on files or a store that are slow, as `variables` say (see programs/slow)."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__()
        self._variables = {**variables, "PYTHONPATH": str(PROGRAMS / "slow")}

    def command(self, python: str, given: Input, folder: Path) -> Command:
        """Return the command of a backfill."""
        command = super().command(python, given, folder)
        return Command(command.argv, {**command.environment, **self._variables})


def measure(context: Context) -> Outcome:
    """Measure work f."""
    effort = Effort(min(3, context.effort.rounds), 1e9, max(300.0, context.effort.timeout_s))
    found: dict[str, Trial] = {}
    for name, shape in {"nothing to read": Shape(0, 0, 0), **SHAPES}.items():
        context.say(f"growth: {name}")
        given = inputs.make(shape, context.work)
        (found[name],) = compete([Fleetflow()], given, context.work, effort, context.say)
    given = inputs.make(BASE, context.work)
    for name, variables in SLOW.items():
        context.say(f"growth: {name}")
        slow = Slow(variables)
        (found[name],) = compete([slow], given, context.work, effort, context.say)
    idle_s = statistics.median(found["nothing to read"].times) if found["nothing to read"].runs else 0.0
    rows = [_row(name, trial, idle_s) for name, trial in found.items()]
    return Outcome(
        "f",
        "Growth",
        f"fleetflow alone; the base is {BASE.pings:,} pings of {BASE.vehicles:,} vehicles in {BASE.files:,} "
        "files; the rate is of what comes on top of a run that finds nothing to read",
        columns=["input", "time (s)", "rate (M pings/s)", "whole process (M pings/s)", "peak (MiB)"],
        rows=rows,
        aims=_aims(found, idle_s),
    )


def _net_rate(trial: Trial, idle_s: float) -> float:
    return trial.pings / max(LEAST_S, statistics.median(trial.times) - idle_s)


def _row(name: str, trial: Trial, idle_s: float) -> list[str]:
    if not trial.runs:
        return [name, trial.problem, "", "", ""]
    return [
        name,
        f"{statistics.median(trial.times):.2f}",
        f"{_net_rate(trial, idle_s) / 1e6:.2f}" if trial.pings else "",
        f"{trial.rate / 1e6:.2f}" if trial.pings else "",
        f"{trial.peak_bytes / 2**20:.0f}",
    ]


def _aims(found: dict[str, Trial], idle_s: float) -> list[Aim]:
    rates = {name: _net_rate(trial, idle_s) for name, trial in found.items() if trial.runs and trial.pings}
    aims = []
    if "base" in rates:
        for name in GROWN[1:]:
            if name in rates:
                ratio = rates[name] / rates["base"]
                aims.append(Aim(f"{name}: within 25 % of the base", f"{ratio:.2f} of it", ratio >= 0.75))
        for name in ("one huge file", "one hot vehicle", *SLOW):
            if name in rates:
                ratio = rates[name] / rates["base"]
                aims.append(Aim(f"{name}: no worse than a factor of 3", f"{ratio:.2f} of it", ratio >= 1 / 3))
    largest = max((trial for trial in found.values() if trial.runs), key=lambda t: t.pings, default=None)
    if largest is not None:
        aims.append(
            Aim(
                f"a backlog of {largest.pings:,} pings under 1.5 GiB",
                f"{largest.peak_bytes / 2**30:.2f} GiB",
                largest.peak_bytes < MOST_BYTES,
            )
        )
    return aims
