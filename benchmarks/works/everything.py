"""Work e: validation, quarantine, ledger and all detectors have something to do."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from typing import TypeVar

from benchmarks import inputs, surroundings
from benchmarks.contestants.ours import OPTIONAL, Fleetflow, Watched
from benchmarks.context import Context
from benchmarks.results import Aim, Outcome
from benchmarks.trials import Trial, compete
from benchmarks.works.backfill import BY_VEHICLE, BY_VEHICLE_LONG

BAD = 0.01
Contestants = TypeVar("Contestants", bound=Fleetflow)


def measure(context: Context) -> Outcome:
    """Measure work e: beside work a, on the same pings with a column of engine codes."""
    clean = replace(BY_VEHICLE_LONG if context.long else BY_VEHICLE, codes=True)
    bad = replace(clean, bad=BAD)
    installed = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
    detectors = sorted((OPTIONAL - {"archive"}) & installed)
    archive = sorted(OPTIONAL & installed)
    around = surroundings.make(clean, context.work / "inputs" / f"around-{clean.name}")
    settings = {key: value for name in detectors for key, value in around.get(name, {}).items()}
    kinds = [kind for name in detectors for kind in surroundings.KINDS[name]]
    disabled = " ".join({"archive"} & installed)
    detecting = [
        _named("clean, all detectors", Watched(kinds, plugins_disabled=disabled, **settings)),
        _named("bad lines, all detectors", Watched(kinds, plugins_disabled=disabled, **settings)),
        _named("bad lines, all detectors, the archive", Watched(kinds, plugins_disabled="", **settings)),
    ]
    # in turn with what they are compared with, as the machine is not equally quick all the time
    races: list[tuple[inputs.Shape, list[Fleetflow]]] = [
        (clean, [_named("clean", Fleetflow()), detecting[0]]),
        (bad, [_named("bad lines", Fleetflow()), *detecting[1:]]),
    ]
    trials = []
    for shape, contestants in races:
        context.say(f"making {shape.name}")
        given = inputs.make(shape, context.work)
        trials += compete(contestants, given, context.work, context.effort, context.say)
    return Outcome(
        "e",
        "Everything on",
        f"{clean.pings:,} pings in {clean.files:,} files, without and with all detectors "
        f"({', '.join(detectors) or 'none is installed'}; {surroundings.AREAS:,} areas), each of which must "
        f"make events; the same with {BAD:.0%} bad lines, each of which the quarantine must hold, "
        f"and with {'the archive of all pings' if archive else 'no archive'} too",
        trials,
        aims=[
            *(_at_least_half(trials[0], trial) for trial in trials[1:]),
            *(
                _events(trial, contestant.events)
                for contestant in detecting
                for trial in trials
                if trial.name == contestant.name
            ),
        ],
    )


def _named(name: str, contestant: Contestants) -> Contestants:
    contestant.name = f"fleetflow, {name}"
    return contestant


def _at_least_half(base: Trial, trial: Trial) -> Aim:
    ratio = trial.rate / base.rate if base.runs and trial.runs else None
    return Aim(
        f"{_what(trial)}: at least half of the clean backfill",
        "not measured" if ratio is None else f"{ratio:.2f}",
        None if ratio is None else ratio >= 0.5,
    )


def _events(trial: Trial, events: dict[str, int]) -> Aim:
    listed = ", ".join(f"{kind} {count:,}" for kind, count in events.items())
    return Aim(
        f"{_what(trial)}: every detector makes events",
        f"{sum(events.values()):,} events ({listed or 'none'})",
        bool(trial.runs),
    )


def _what(trial: Trial) -> str:
    return trial.name.removeprefix("fleetflow, ")
