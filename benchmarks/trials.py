"""Runs contestants in turn on one input, and keeps what came of it."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import answers, inputs
from benchmarks.contestants.base import Contestant, Kind
from benchmarks.environments import Missing, pythons_for, versions
from benchmarks.inputs import Input
from benchmarks.measuring import Failed, Usage, run

Say = Callable[[str], None]


@dataclass(slots=True)
class Trial:
    """All runs of one contestant on one input. `problem` says why there are none, or fewer."""

    name: str
    kind: Kind
    promise: str
    pings: int
    runs: dict[int, Usage] = field(default_factory=dict)
    problem: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def times(self) -> list[float]:
        """Wall seconds of all runs."""
        return [usage.wall_s for usage in self.runs.values()]

    @property
    def rate(self) -> float:
        """Pings per second, of the median run; 0 without runs."""
        return self.pings / statistics.median(self.times) if self.runs else 0.0

    @property
    def peak_bytes(self) -> int:
        """The highest peak of all runs."""
        return max((usage.peak_bytes for usage in self.runs.values()), default=0)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the median run."""
        return statistics.median([usage.cpu_s for usage in self.runs.values()]) if self.runs else 0.0

    def ratios(self, reference: Trial) -> list[float]:
        """Return how many times as long as the reference it took, for each round in which both ran."""
        return sorted(
            usage.wall_s / reference.runs[round_].wall_s
            for round_, usage in self.runs.items()
            if round_ in reference.runs
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {**asdict(self), "rate": self.rate}


@dataclass(frozen=True, slots=True)
class Effort:
    """How often to run, and when not to run again what takes long."""

    rounds: int = 3
    patience_s: float = 15.0
    """What took longer than this in its first round is not run again."""
    timeout_s: float = 900.0
    install: bool = True


def compete(
    contestants: Sequence[Contestant], given: Input, work: Path, effort: Effort, say: Say
) -> list[Trial]:
    """Run all contestants in turn, round after round, each beginning a round once.

    A run counts when its answer is the right one; a contestant with a wrong answer, or one that fails, is
    out. One that is missing is told as missing.
    """
    right = answers.right_answer(given)
    trials = {one.name: Trial(one.name, one.kind, one.promise, given.pings) for one in contestants}
    pythons: dict[str, str] = {}
    say(f"preparing {len(contestants)} contestants")
    installed = pythons_for((one.requirements for one in contestants), work, effort.install)
    for one in contestants:
        try:
            say(f"preparing {one.name}")
            python = installed[tuple(one.requirements)]
            if isinstance(python, Missing):
                raise python
            pythons[one.name] = python
            one.prepare(given)
            names = [requirement.partition("=")[0].rstrip("<>~") for requirement in one.requirements]
            trials[one.name].versions = versions(pythons[one.name], names)
        except Missing as missing:
            trials[one.name].problem = f"missing: {missing}"
    inputs.warm(given.directory)
    for round_ in range(effort.rounds):
        # another order in every round: nobody always runs after the same one
        first = round_ % max(1, len(contestants))
        for one in [*contestants[first:], *contestants[:first]]:
            trial = trials[one.name]
            if trial.problem or any(time > effort.patience_s for time in trial.times):
                continue
            say(f"round {round_ + 1} of {effort.rounds}: {one.name}")
            try:
                trial.runs[round_] = once(one, pythons[one.name], given, work, effort.timeout_s, right)
            except (Failed, answers.WrongAnswer) as error:
                kind = "wrong answer" if isinstance(error, answers.WrongAnswer) else "failed"
                trial.problem = f"{kind}: {error}"
                trial.runs.clear()
    return list(trials.values())


def once(
    one: Contestant, python: str, given: Input, work: Path, timeout_s: float, right: answers.pl.DataFrame
) -> Usage:
    """Run one contestant once in an empty folder and check its answer."""
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        command = one.command(python, given, folder)
        usage = run(command.argv, command.environment, folder, folder / "log", timeout_s)
        answers.check(one.answer(folder), right)
        one.account(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return usage
