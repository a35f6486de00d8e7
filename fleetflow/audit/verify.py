"""Deriving from the raw inputs what a job must have made of them, and comparing it with what there is.

`python -m fleetflow.audit.verify RECOVERY RUNNING CHANGED` runs in the job's own environment, with its own
plugins, and prints one JSON object. It trusts the positions of the recovery store and the raw inputs, nothing
else.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fleetflow import application
from fleetflow.audit import compare, moment
from fleetflow.audit.compare import Problem, Unverifiable
from fleetflow.audit.continuity import SCATTERED
from fleetflow.audit.derive import Bound, Derived, Deriver, Place, digest_of, key_of
from fleetflow.audit.moment import Key, Moment
from fleetflow.audit.positions import positions
from fleetflow.audit.reread import reread
from fleetflow.config import Configuration
from fleetflow.contracts.source import Source
from fleetflow.errors import FleetflowError, PluginError
from fleetflow.ledger.reader import Ledger
from fleetflow.ledger.settings import folder_of as ledger_folder
from fleetflow.plugins import Plugins
from fleetflow.quarantine.settings import folder_of as quarantine_folder
from fleetflow.quarantine.store import QuarantineReader, Selection

SHOWN = 1000
PATIENCE_S = 20.0
"""How long a running job may take to bring map and ledger to where the inputs were when they were read."""
LOOK_S = 0.2
QUIET_LOOKS = 5
"""Looks at an account that did not move, after which what does not add up will not add up by itself."""


@dataclass
class Findings:
    """What was found, and how much was verified."""

    problems: list[Problem] = field(default_factory=list)
    not_verifiable: list[Unverifiable] = field(default_factory=list)
    sources: dict[str, dict[str, int]] = field(default_factory=dict)
    vehicles: dict[str, int] = field(default_factory=dict)


class Verification:
    """One verification of one job."""

    def __init__(
        self,
        plugins: Plugins,
        configuration: Configuration,
        recovery: Path,
        running: bool,
        changed: bool = False,
    ) -> None:
        """`running`: the job goes on meanwhile. `changed`: other versions than this one have read, too."""
        self._plugins, self._configuration = plugins, configuration
        self._recovery, self._running, self._changed = recovery, running, changed
        self._found = Findings()
        self._bounds: dict[Key, Bound] = {}
        self._ahead = False
        names = {sink.name for sink in plugins.gather("fleetflow_sinks", "sink", _name, configuration)}
        self._ledger = Ledger(ledger_folder(configuration)) if "ledger" in names else None
        self._quarantine = quarantine_folder(configuration) if "quarantine" in names else None

    def run(self) -> dict[str, Any]:
        """Read, derive and compare; returns plain JSON data."""
        began = time.monotonic()
        then = self._moment()
        known = positions(self._recovery)
        rejected = self._rejected()
        schema = self._plugins.only("fleetflow_schema", "the ping schema", "", self._configuration)
        rules: list[Any] = self._plugins.gather(
            "fleetflow_rules", "validation rule", _name, self._configuration
        )
        judges = {
            judge.name
            for judge in self._plugins.gather("fleetflow_judges", "judge", _name, self._configuration)
        }
        times = {place: at for place, (_, rule, at, _) in rejected.items() if rule != "malformed"}
        judged = {place: raw for place, (raw, rule, _, here) in rejected.items() if here and rule in judges}
        deriver = Deriver(schema, rules, times, judged)
        derived = Derived()
        sources: list[Source] = self._plugins.gather(
            "fleetflow_sources", "source", _name, self._configuration
        )
        for source in sources:
            for partition in source.partitions():
                self._partition(
                    deriver, derived, source, partition, known.get((source.name, partition)), then
                )
        self._compare_ledger(derived, then)
        self._compare_rejects(derived)
        self._compare_map(derived, dict(schema.columns))
        for source in sources:
            reads = [read for key, read in derived.reads.items() if key[0] == source.name]
            self._found.sources[source.name] = {
                "resources": len(reads),
                "positions": sum(read.end - read.start for read in reads),
                "records": sum(read.records for read in reads),
                "pings": derived.pings.get(source.name, 0),
                "rejects": sum(place[0] == source.name for place in derived.rejects),
            }
        return {
            "sources": self._found.sources,
            "map": self._found.vehicles,
            "problem_count": len(self._found.problems),
            "problems": [asdict(each) for each in self._found.problems[:SHOWN]],
            "not_verifiable": [asdict(each) for each in self._found.not_verifiable],
            "notices": derived.notices[:SHOWN],
            "running": self._running,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _moment(self) -> Moment:
        return Moment(time.time()) if self._ledger is None else moment.take(self._ledger)

    def _rejected(self) -> dict[Place, tuple[bytes, str, float, bool]]:
        """Return raw bytes' digest, rule, time, and whether it was not put through again, of all rejects."""
        if self._quarantine is None:
            return {}
        reader = QuarantineReader(self._quarantine)
        try:
            return {
                key_of(each): (digest_of(each), each.rule, each.quarantined_at, each.state == "quarantined")
                for each in reader.rejects(Selection())
            }
        finally:
            reader.close()

    def _partition(
        self, deriver: Deriver, total: Derived, source: Source, name: str, position: Any | None, then: Moment
    ) -> None:
        ranges = {key[2]: some for key, some in then.ranges.items() if key[:2] == (source.name, name)}
        if position is None:
            # nothing of it is in the recovery store, so that nothing of it must have been written
            if ranges:
                records = sum(each.records for some in ranges.values() for each in some)
                message = f"{name}: the recovery store has no position of it"
                self._cannot(source.name, name, records, "records", message)
            return
        try:
            derived, bounds = reread(deriver, source, name, position, ranges, self._running)
        except FleetflowError as error:
            self._cannot(source.name, name, 0, "unknown", error.message)
            return
        total.add(derived)
        for resource, bound in bounds.items():
            self._bounds[source.name, name, resource] = bound
            if bound.must is not None and bound.counted is not None and bound.counted > bound.must:
                self._ahead = True

    def _compare_ledger(self, derived: Derived, then: Moment) -> None:
        if self._ledger is None:
            return
        bounds = {key: bound.must for key, bound in self._bounds.items()}
        deadline = time.monotonic() + (PATIENCE_S if self._running else 0)
        relevant = _without_scattered(then)
        while True:
            now = self._moment()
            problems, cannot = compare.ledger(_unscattered(derived), bounds, relevant, now)
            if not problems or time.monotonic() > deadline:
                break
            time.sleep(LOOK_S)
        self._found.problems += problems
        self._found.not_verifiable += cannot
        self._compare_account()

    def _compare_account(self) -> None:
        if self._ahead:
            self._cannot(
                "", "", 1, "counts", "the job ended by a crash: its account is whole again when it runs"
            )
            return
        deadline = time.monotonic() + PATIENCE_S
        quiet, before = 0, self._moment()
        while True:
            problems = self._account(before)
            if not problems or not self._running or quiet >= QUIET_LOOKS:
                break
            if time.monotonic() > deadline:
                self._cannot(
                    "", "", 1, "counts", "the account moved all the time: audit again when the job is quiet"
                )
                return
            time.sleep(LOOK_S)
            now = self._moment()
            quiet = quiet + 1 if now.counts == before.counts else 0
            before = now
        self._found.problems += problems

    def _account(self, now: Moment) -> list[Problem]:
        if self._quarantine is None:
            return compare.account(now, None)
        reader = QuarantineReader(self._quarantine)
        try:
            return compare.account(now, reader.counts("source"))
        finally:
            reader.close()

    def _cannot(self, source: str, partition: str, amount: int, unit: str, message: str) -> None:
        self._found.not_verifiable.append(Unverifiable(source, partition, "", amount, unit, message))

    def _compare_rejects(self, derived: Derived) -> None:
        if self._quarantine is None:
            return
        deadline = time.monotonic() + (PATIENCE_S if self._running else 0)
        while True:
            stored = {
                place: raw for place, (raw, *_) in self._rejected().items() if self._verified(place, derived)
            }
            lacking, more = compare.quarantine(derived.rejects, stored)
            if not lacking or time.monotonic() > deadline:
                break
            time.sleep(LOOK_S)
        wrong = {problem.subject for problem in self._found.problems}
        accepted = [place for place in lacking if self._changed and place[0] not in wrong]
        if accepted:
            # the account has no reject more than the quarantine: they were pings when they were read
            message = f"{len(accepted)} records that an earlier version accepted are rejects for this one"
            self._cannot("", "", len(accepted), "rejects", message)
        for place in sorted(set(lacking) - set(accepted)):
            where = f"{place[0]} {place[2]} [{place[3]}, {place[4]})"
            self._found.problems.append(
                Problem("quarantine", where, f"{where} is not a valid ping, and not in the quarantine")
            )
        if more:
            self._found.not_verifiable.append(
                Unverifiable(
                    "", "", "", len(more), "rejects", f"{len(more)} rejects are valid for the present version"
                )
            )

    def _verified(self, place: Place, derived: Derived) -> bool:
        read = derived.reads.get((place[0], place[1], place[2]))
        bound = self._bounds.get((place[0], place[1], place[2]))
        if read is None:
            return False
        return read.start <= place[3] < read.end and (
            bound is None or bound.must is None or place[3] < bound.must
        )

    def _compare_map(self, derived: Derived, columns: dict[str, Any]) -> None:
        try:
            vehicles = self._plugins.only(
                "fleetflow_vehicles_map", "the vehicles map", "", self._configuration
            )
        except PluginError:
            self._found.not_verifiable.append(
                Unverifiable("", "", "", 0, "vehicles", "there is no vehicles map to read")
            )
            return
        newest = derived.newest()
        with contextlib.closing(vehicles):
            outcome = compare.vehicles(newest, compare.stored(vehicles.records(), columns))
            suspects = dict(outcome.suspects)
            deadline = time.monotonic() + (PATIENCE_S if self._running else 0)
            while suspects and newest is not None and time.monotonic() < deadline:
                time.sleep(LOOK_S)
                records = [record for vin in suspects if (record := vehicles.get(vin)) is not None]
                few = newest.filter(newest["vin"].is_in(list(suspects)))
                suspects = dict(compare.vehicles(few, compare.stored(records, columns)).suspects)
        self._found.problems += [Problem("map", vin, message) for vin, message in suspects.items()]
        complete = not (self._running or self._ahead or self._found.not_verifiable)
        for vin in (*outcome.newer, *outcome.extra) if complete else ():
            self._found.problems.append(
                Problem("map", vin, f"vehicle {vin}: no input that was read explains its record")
            )
        self._found.vehicles = {
            "same": outcome.same,
            "newer": len(outcome.newer),
            "without a newer field": outcome.fillable,
            "not from these inputs": len(outcome.extra),
            "wrong": len(suspects),
        }


def _without_scattered(then: Moment) -> Moment:
    ranges = {key: some for key, some in then.ranges.items() if key[0] not in SCATTERED}
    return Moment(then.time, ranges, then.counts, then.notices)


def _unscattered(derived: Derived) -> Derived:
    return Derived(reads={key: read for key, read in derived.reads.items() if key[0] not in SCATTERED})


def _name(thing: Any) -> str:
    return str(thing.name)


def main() -> None:
    """Print the outcome, or the error, as one JSON object on the last line."""
    answer: dict[str, Any]
    try:
        plugins, configuration = application.load()
        plugins.require_sound()
        # what is not there any more is given up, not waited for
        configuration.once = True
        answer = Verification(
            plugins, configuration, Path(sys.argv[1]), *(word == "1" for word in sys.argv[2:4])
        ).run()
    except FleetflowError as error:
        answer = {"error": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
