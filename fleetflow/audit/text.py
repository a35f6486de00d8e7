"""A certificate for people: what matters on one screen, however many files there are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SHOWN = 10
"""How many resources, gaps or problems are listed; the JSON has all."""
WORDS = {
    "whole": "nothing is missing: every resource was read without a gap",
    "lost upstream": "nothing that could be read is missing; some was lost upstream",
    "unaccounted": "records were read whose fate is not known",
    "gap": "something was not read, and nobody knows why",
}


def render(content: Mapping[str, Any]) -> str:
    """Return the certificate as lines of text."""
    return "\n".join(_lines(content))


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(content["time"]))
    yield f"{content['kind']} of {content['job'] or 'fleetflow run'}, {when}"
    yield f"verdict: {content['verdict']}: {WORDS[content['verdict']]}"
    if content["undone"]:
        yield f"undone: {content['undone']}"
    before, after = (_versions(content["versions"][name]) for name in ("before", "after"))
    yield f"version: {after}" if before == after else f"versions: {before} -> {after}"
    if content["savepoint"]:
        yield f"savepoint: {content['savepoint']}"
    if content["downtime_ms"] is not None:
        pause = content["pause_ms"]
        yield f"downtime: {content['downtime_ms']:,} ms until the new version read" + (
            "" if pause is None else f"; {pause:,} ms between the last record before and the first after"
        )
    for name, source in content["sources"].items():
        yield ""
        yield from _source(name, source, content["kind"] != "audit")
    for title, some in (("gaps", content["gaps"]), ("lost upstream", content["lost_upstream"])):
        yield ""
        yield f"{title}: {'none' if not some else ''}".rstrip()
        yield from _listed(
            [_gap(each) if title == "gaps" else f"{each['source']}: {each['message']}" for each in some]
        )
    if "verification" in content:
        yield ""
        yield from _verification(content["verification"])


def _source(name: str, source: Mapping[str, Any], changed: bool) -> Iterator[str]:
    partitions = source["partitions"]
    yield f"source {name}: {len(partitions)} partitions, {source['resources']} resources"
    counts = source["counts"]
    for moment in ("before", "during", "after") if changed else ("after",):
        found = counts[moment]
        label = {"before": "when the old version had ended", "during": "when the new one was healthy"}
        yield f"  {label.get(moment, 'now')}: " + ", ".join(
            f"{key} {value:,}" for key, value in found.items()
        )
    if source["unaccounted"]:
        yield f"  unaccounted: {source['unaccounted']:,}"
    yield f"  read once more after a crash: {source['replayed']:,} records"
    rows = []
    for partition, resources in partitions.items():
        for resource, entry in resources.items():
            pieces = [
                f"{moment} {_ranges(entry[moment])}" if changed else _ranges(entry[moment])
                for moment in ("before", "during", "after")
                if entry[moment]
            ]
            rows.append(f"{partition} {resource}: {'; '.join(pieces)}")
    yield from _listed(rows)


def _ranges(stretches: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f"[{each['start']}, {each['end']})" for each in stretches)


def _gap(gap: Mapping[str, Any]) -> str:
    where = f"{gap['source']} {gap['partition']} {gap['resource']} [{gap['start']}, {gap['end']})"
    return f"{where}: {gap['reason'] or 'UNEXPLAINED'}"


def _verification(found: Mapping[str, Any]) -> Iterator[str]:
    for name, source in found["sources"].items():
        yield f"verified {name}: " + ", ".join(f"{key} {value:,}" for key, value in source.items())
    yield f"verified map: {', '.join(f'{key} {value:,}' for key, value in found['map'].items())}"
    yield f"problems: {found['problem_count'] or 'none'}"
    yield from _listed([each["message"] for each in found["problems"]])
    yield f"not verifiable: {'none' if not found['not_verifiable'] else ''}".rstrip()
    yield from _listed([each["message"] for each in found["not_verifiable"]])


def _listed(lines: Sequence[str]) -> Iterator[str]:
    for line in lines[:SHOWN]:
        yield f"  {line}"
    if len(lines) > SHOWN:
        yield f"  ... and {len(lines) - SHOWN:,} more, all in the JSON"


def _versions(versions: Mapping[str, Any]) -> str:
    schema = versions.get("schema") or {}
    parts = [f"{schema['name']} {schema['version']}"] if schema else []
    parts += [f"{name} {version}" for name, version in (versions.get("distributions") or {}).items()]
    return ", ".join(parts) or "unknown"
