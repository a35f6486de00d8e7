"""Works a and b: everybody reads the same history; the latest record of each vehicle at the end."""

from __future__ import annotations

from benchmarks import inputs
from benchmarks.contestants import REFERENCE, everyone
from benchmarks.contestants.jet import HazelcastJet
from benchmarks.context import Context
from benchmarks.inputs import Shape
from benchmarks.results import Aim, Outcome
from benchmarks.trials import Trial, compete

BY_VEHICLE = Shape(2_000_000, 1_000, 1_000)
BY_VEHICLE_LONG = Shape(10_000_000, 1_000, 1_000)
INTERLEAVED = Shape(2_000_000, 100_000, 8, "time")
INTERLEAVED_LONG = Shape(10_000_000, 100_000, 8, "time")
DUCKDB = "DuckDB scan"
LONG_ALONE = {
    "Bytewax, a store write per ping",
    "Bytewax, no store",
    "Flink SQL",
    HazelcastJet.name,
    "Pathway, 1 thread",
}
"""What takes long, and is not run a second time in the short form: work a tells how it does."""


def by_vehicle(context: Context) -> Outcome:
    """Measure work a."""
    shape = BY_VEHICLE_LONG if context.long else BY_VEHICLE
    trials = _compete(context, shape)
    aims = [
        _times_best_peer(trials, 10.0),
        _share_of(trials, DUCKDB, 0.8),
    ]
    if not context.long:
        aims = [
            Aim(f"{aim.text} (aimed at for 10,000,000 pings: --long)", aim.found, aim.met) for aim in aims
        ]
    return Outcome("a", "Backfill by vehicle", _describe(shape), trials, aims=aims)


def interleaved(context: Context) -> Outcome:
    """Measure work b."""
    shape = INTERLEAVED_LONG if context.long else INTERLEAVED
    trials = _compete(context, shape)
    mine = _find(trials, REFERENCE)
    aims = [
        Aim(
            "at least 1.5 M pings/s",
            f"{mine.rate / 1e6:.2f} M pings/s",
            mine.rate >= 1.5e6 if mine.runs else None,
        ),
        _times_best_peer(trials, 3.0),
        *(
            _not_slower(trials, several, "fleetflow, 1 worker")
            for several in (REFERENCE, "fleetflow, 2 processes")
        ),
    ]
    return Outcome("b", "Backfill interleaved", _describe(shape), trials, aims=aims)


def _compete(context: Context, shape: Shape) -> list[Trial]:
    context.say(f"making {shape.name}")
    given = inputs.make(shape, context.work)
    contestants = [
        one
        for one in everyone(context.cores)
        if (context.peers or one.kind != "stream")
        and (context.long or shape == BY_VEHICLE or one.name not in LONG_ALONE)
    ]
    return compete(contestants, given, context.work, context.effort, context.say)


def _describe(shape: Shape) -> str:
    order = (
        "each file in time order, every vehicle in every file"
        if shape.order == "time"
        else "a file per vehicle"
    )
    return f"{shape.pings:,} pings of {shape.vehicles:,} vehicles in {shape.files:,} files, {order}"


def _find(trials: list[Trial], name: str) -> Trial:
    return next(trial for trial in trials if trial.name == name)


def _times_best_peer(trials: list[Trial], wanted: float) -> Aim:
    mine = _find(trials, REFERENCE)
    peers = [trial for trial in trials if trial.kind == "stream" and trial.runs]
    text = f"at least {wanted:g} times the best streaming peer"
    if not peers or not mine.runs:
        return Aim(text, "nothing to compare with", None)
    best = max(peers, key=lambda trial: trial.rate)
    ratio = mine.rate / best.rate
    return Aim(text, f"{ratio:.1f} times {best.name}", ratio >= wanted)


def _share_of(trials: list[Trial], name: str, wanted: float) -> Aim:
    mine, other = _find(trials, REFERENCE), _find(trials, name)
    text = f"at least {wanted:g} of the {name}"
    if not mine.runs or not other.runs:
        return Aim(text, "nothing to compare with", None)
    share = mine.rate / other.rate
    return Aim(text, f"{share:.2f} of it", share >= wanted)


def _not_slower(trials: list[Trial], several: str, one: str) -> Aim:
    first, second = _find(trials, several), _find(trials, one)
    text = f"{several if several != REFERENCE else '2 workers'} not slower than 1 worker"
    if not first.runs or not second.runs:
        return Aim(text, "nothing to compare with", None)
    ratio = first.rate / second.rate
    # what two runs of the same thing differ by is not a difference
    return Aim(text, f"{ratio:.2f} times its speed", ratio >= 0.97)
