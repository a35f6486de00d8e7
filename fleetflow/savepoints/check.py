"""Grading each difference between a savepoint and the code that is about to run from it.

Pure: compares two descriptions and the states that are stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GRADES = ("compatible", "defaulted", "lossy", "refused")
"""From harmless to impossible. `lossy` is allowed when it was asked for, `refused` never."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: `grade`, the `subject` (a field, a step, a setting), and what follows in words."""

    grade: str
    subject: str
    message: str


def worst(findings: Sequence[Finding]) -> str:
    """Return the worst grade, `compatible` when there is no difference."""
    return max((finding.grade for finding in findings), key=GRADES.index, default="compatible")


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Return what changes when `after` runs from the `states` that `before` wrote, worst first."""
    findings = [
        *_flow(before, after),
        *_sources(before, after, states),
        *_states(after, states),
        *_schema(before["schema"], after["schema"]),
        *_parts(before, after),
        *_versions(before, after),
        *_configuration(before["configuration"], after["configuration"]),
    ]
    return sorted(findings, key=lambda finding: -GRADES.index(finding.grade))


def _flow(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    if before["flow"] != after["flow"]:
        yield Finding("refused", "flow", f'it is of the flow "{before["flow"]}", not "{after["flow"]}"')
    if before["shards"] != after["shards"]:
        yield Finding(
            "refused",
            "[flow] shards",
            f"vehicles are split into {before['shards']} shards, the new job wants {after['shards']}: "
            "their state would be given to the wrong shards",
        )
    # savepoints from before keys had a version have the first one's
    old, new = before.get("keys", 1), after["keys"]
    if old != new:
        yield Finding(
            "refused",
            "keys",
            f"shards are stored under keys of version {old}, the new job wants {new}: their state would be "
            "nobody's; go on with the version of fleetflow that made it, or start fresh",
        )


def _sources(
    before: Mapping[str, Any], after: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    flow = before["flow"]
    for name, partitions in before["sources"].items():
        stored = set(states.get(f"{flow}.read_{name}", {})) | set(partitions)
        if name not in after["sources"]:
            yield Finding(
                "refused",
                f"source {name}",
                "it is not there any more: what it has not read yet would be missed (a renamed source would "
                "silently start from zero)",
            )
            continue
        missing = stored - set(after["sources"][name])
        if missing:
            yield Finding(
                "refused",
                f"source {name}",
                f"the partitions {', '.join(sorted(missing))} are stored and not there any more",
            )
        added = set(after["sources"][name]) - stored
        if added:
            yield Finding(
                "defaulted",
                f"source {name}",
                f"the partitions {', '.join(sorted(added))} are new and start from the beginning",
            )
    for name in after["sources"]:
        if name not in before["sources"]:
            yield Finding("defaulted", f"source {name}", "it is new and starts from the beginning")


def _states(after: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for step, keys in states.items():
        if not any(step == known or step.startswith(f"{known}.") for known in after["steps"]):
            yield Finding(
                "refused", f"step {step}", f"{len(keys)} stored states belong to a step that is not there"
            )
        strange = [key for key, summary in keys.items() if "not_plain" in summary]
        if strange:
            yield Finding(
                "refused", f"step {step}", f"the state of {', '.join(strange)} is not plain data, not loaded"
            )


def _schema(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    if before["name"] != after["name"]:
        yield Finding("refused", "schema", f'"{before["name"]}" became "{after["name"]}"')
        return
    old, new = before["version"], after["version"]
    names = f"{before['name']} {old} -> {new}"
    for field, dtype in before["columns"].items():
        if field not in after["columns"]:
            if new < old:
                yield Finding(
                    "lossy",
                    f"field {field}",
                    f"{names}: it stays in the records that have it, and is not read from new pings",
                )
            else:
                yield Finding("refused", f"field {field}", f"{names}: it was removed")
        elif after["columns"][field] != dtype:
            yield Finding(
                "refused",
                f"field {field}",
                f"{names}: its type changed from {dtype} to {after['columns'][field]}",
            )
    for field, dtype in after["columns"].items():
        if field not in before["columns"]:
            empty = "empty" if dtype.startswith("List") else "null"
            yield Finding(
                "defaulted", f"field {field}", f"{names}: it is new, and {empty} for pings read before"
            )
    if old != new:
        yield Finding("compatible", "schema", names)


def _parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for kind in ("judges", "detectors", "sinks"):
        one = kind.removesuffix("s")
        # savepoints from before there were judges have none
        old, new = set(before.get(kind, ())), set(after.get(kind, ()))
        for name in sorted(old - new):
            yield Finding("lossy", f"{one} {name}", "it is not there any more: its state is dropped")
        for name in sorted(new - old):
            yield Finding("defaulted", f"{one} {name}", "it is new and starts from its empty state")


def _versions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for name, version in before["versions"].items():
        now = after["versions"][name]
        if now != version:
            grade = "refused" if name == "bytewax" else "compatible"
            reason = ": its recovery store has another format" if name == "bytewax" else ""
            yield Finding(grade, name, f"{version} -> {now}{reason}")
    for name in sorted({*before["distributions"], *after["distributions"]}):
        was, is_now = before["distributions"].get(name), after["distributions"].get(name)
        if was != is_now:
            yield Finding("compatible", name, f"{was or 'not installed'} -> {is_now or 'not installed'}")


def _configuration(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for table in sorted({*before, *after}):
        old, new = before.get(table, {}), after.get(table, {})
        for key in sorted({*old, *new}):
            if key in old and key in new and old[key] != new[key] and (table, key) != ("flow", "shards"):
                yield Finding("compatible", f"[{table}] {key}", f"{old[key]!r} -> {new[key]!r}")
