"""Work e: with bad lines, so that validation, quarantine and ledger all have something to do."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

from benchmarks import inputs
from benchmarks.contestants.ours import Fleetflow
from benchmarks.results import Aim, Outcome
from benchmarks.trials import compete
from benchmarks.works.backfill import BY_VEHICLE, BY_VEHICLE_LONG
from benchmarks.works.context import Context

BAD = 0.01


def measure(context: Context) -> Outcome:
    """Measure work e beside work a."""
    clean = BY_VEHICLE_LONG if context.long else BY_VEHICLE
    trials = []
    for shape, name in ((clean, "clean"), (replace(clean, bad=BAD), f"{BAD:.0%} bad lines")):
        context.say(f"making {shape.name}")
        given = inputs.make(shape, context.work)
        (trial,) = compete([Fleetflow()], given, context.work, context.effort, context.say)
        trial.name = f"fleetflow, {name}"
        trials.append(trial)
    ratio = trials[1].rate / trials[0].rate if trials[0].runs and trials[1].runs else None
    aim = Aim(
        "at least half of what it is without bad lines",
        "not measured" if ratio is None else f"{ratio:.2f}",
        None if ratio is None else ratio >= 0.5,
    )
    return Outcome(
        "e",
        "Everything on",
        f"{clean.pings:,} pings in {clean.files:,} files, without and with {BAD:.0%} bad lines; "
        f"the quarantine must hold every one of them; {_detectors()}",
        trials,
        aims=[aim],
    )


def _detectors() -> str:
    names = [
        entry.name
        for entry in importlib.metadata.entry_points(group="fleetflow")
        if hasattr(entry.load(), "fleetflow_detectors")
    ]
    return f"detectors: {', '.join(names)}" if names else "no detectors are installed"
