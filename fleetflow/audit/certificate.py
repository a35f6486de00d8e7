"""The certificate: what was read before, during and after a change, and whether anything is missing.

Plain JSON data (`docs/reference/certificate.md`). It is derived from the ledger's ranges; `verify` derives
the same from the raw inputs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from fleetflow.audit import continuity, text
from fleetflow.audit.moment import Moment
from fleetflow.contracts.sink import Counts
from fleetflow.jobs.model import write_json
from fleetflow.ledger.reader import Range

VERSION = 1
FOLDER = "certificates"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a job: `kind` is upgrade, rollback or audit.

    `before` and `after` are descriptions of code (`fleetflow.savepoints.description`). `downtime_ms` is from
    the wish to stop until the new version read, `pause_ms` from the last record settled by the old version
    to the first by the new one (None when none came).
    """

    kind: str
    job: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    savepoint: str = ""
    positions: Mapping[str, Mapping[str, Any]] | None = None
    started_from: str = ""
    downtime_ms: int | None = None
    pause_ms: int | None = None
    undone: str = ""


def compose(change: Change, moments: Sequence[Moment]) -> dict[str, Any]:
    """Return the certificate of a change.

    `moments` are the ledger when the old version had ended, when the new one was healthy, and now; of an
    audit there is only the last.
    """
    before, during, after = (moments[0], moments[-2], moments[-1]) if len(moments) > 2 else (moments[-1],) * 3
    resources: dict[str, dict[str, dict[str, Any]]] = {}
    totals: dict[str, dict[str, Any]] = {}
    for key in continuity.keys(moments):
        source, partition, resource = key
        old, middle, new = (moment.ranges.get(key, ()) for moment in (before, during, after))
        entry = {
            "before": [_plain(each) for each in old],
            "during": [asdict(each) for each in continuity.since(old, middle)],
            "after": [asdict(each) for each in continuity.since(middle, new)],
            "replayed": continuity.replayed(old, new) if len(moments) > 2 else sum(e.replayed for e in new),
        }
        resources.setdefault(source, {}).setdefault(partition, {})[resource] = entry
        total = totals.setdefault(source, {"resources": 0, "replayed": 0})
        total["resources"] += 1
        total["replayed"] += entry["replayed"]
    gaps = continuity.gaps(after, change.started_from)
    lost = continuity.lost_upstream(after.notices)
    content: dict[str, Any] = {
        "v": VERSION,
        "kind": change.kind,
        "job": change.job,
        "time": time.time(),
        "versions": {
            "before": continuity.versions(change.before),
            "after": continuity.versions(change.after),
        },
        "savepoint": change.savepoint,
        "positions": {step: dict(keys) for step, keys in (change.positions or {}).items()},
        "downtime_ms": change.downtime_ms,
        "pause_ms": change.pause_ms,
        "undone": change.undone,
        "sources": {},
        "gaps": [{**asdict(gap), "explained": gap.explained} for gap in gaps],
        "lost_upstream": [asdict(notice) for notice in lost],
    }
    for source in sorted({*totals, *after.counts}):
        counts = after.counts.get(source, Counts())
        content["sources"][source] = {
            **totals.get(source, {"resources": 0, "replayed": 0}),
            "counts": {
                "before": _counts(before, source),
                "during": _counts(during, source),
                "after": asdict(counts),
            },
            "unaccounted": counts.read - counts.settled,
            "ranges_records": after.records(source),
            "partitions": resources.get(source, {}),
        }
    content["verdict"] = verdict(content)
    return content


def verdict(content: Mapping[str, Any]) -> str:
    """Return `whole`, `lost upstream` (all gaps are explained), `unaccounted`, or `gap`."""
    if any(not gap["explained"] for gap in content["gaps"]):
        return "gap"
    if any(source["unaccounted"] for source in content["sources"].values()):
        return "unaccounted"
    return "lost upstream" if content["gaps"] or content["lost_upstream"] else "whole"


def good(content: Mapping[str, Any]) -> bool:
    """Whether nothing is missing that could have been read."""
    return content["verdict"] in {"whole", "lost upstream"} and not content.get("verification", {}).get(
        "problems"
    )


def write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a certificate as JSON, and as text beside it; returns the path of the JSON."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(content["time"]))
    stem = f"{stamp}.{int(content['time'] * 1000) % 1000:03d}-{content['kind']}"
    path = folder / f"{stem}.json"
    write_json(path, content)
    readable = folder / f"{stem}.txt"
    readable.write_text(text.render(content) + "\n", "utf-8")
    readable.chmod(0o600)
    return path


def _plain(each: Range) -> dict[str, int]:
    return {
        "start": each.start,
        "end": each.end,
        "records": each.records,
        "digest": each.digest,
        "replayed": each.replayed,
    }


def _counts(moment: Moment, source: str) -> dict[str, int]:
    read, applied, superseded, quarantined = astuple(moment.counts.get(source, Counts()))
    return {"read": read, "applied": applied, "superseded": superseded, "quarantined": quarantined}
