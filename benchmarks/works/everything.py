"""Work e: with bad lines, so that validation, quarantine and ledger all have something to do."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

from benchmarks import inputs
from benchmarks.contestants.ours import OPTIONAL, Fleetflow
from benchmarks.results import Aim, Outcome
from benchmarks.trials import Trial, compete
from benchmarks.works.backfill import BY_VEHICLE, BY_VEHICLE_LONG
from benchmarks.works.context import Context

BAD = 0.01


def measure(context: Context) -> Outcome:
    """Measure work e beside work a."""
    clean = BY_VEHICLE_LONG if context.long else BY_VEHICLE
    bad = replace(clean, bad=BAD)
    installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
    detectors = sorted((OPTIONAL - {"archive"}) & installed)
    archive = sorted(OPTIONAL & installed)
    runs = [
        (clean, "clean", Fleetflow()),
        (bad, f"{BAD:.0%} bad lines", Fleetflow()),
        (bad, "and all detectors", Fleetflow(plugins_disabled=" ".join({"archive"} & installed))),
        (bad, "and the archive", Fleetflow(plugins_disabled="")),
    ]
    trials = []
    for shape, name, contestant in runs:
        context.say(f"making {shape.name}")
        given = inputs.make(shape, context.work)
        (trial,) = compete([contestant], given, context.work, context.effort, context.say)
        trial.name = f"fleetflow, {name}"
        trials.append(trial)
    return Outcome(
        "e",
        "Everything on",
        f"{clean.pings:,} pings in {clean.files:,} files, then with {BAD:.0%} bad lines, each of which the "
        f"quarantine must hold, then with all detectors ({', '.join(detectors) or 'none is installed'}), "
        f"then with {'the archive of all pings' if archive else 'no archive'} too",
        trials,
        aims=[_at_least_half(trials[0], trial) for trial in trials[1:]],
    )


def _at_least_half(base: Trial, trial: Trial) -> Aim:
    ratio = trial.rate / base.rate if base.runs and trial.runs else None
    return Aim(
        f"{trial.name.removeprefix('fleetflow, ')}: at least half of the clean backfill",
        "not measured" if ratio is None else f"{ratio:.2f}",
        None if ratio is None else ratio >= 0.5,
    )
