"""Stretches that were read, the gaps between them, and whether a gap is explained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetflow.audit.moment import Key, Moment
from fleetflow.contracts.payload import Notice
from fleetflow.ledger.reader import Range
from fleetflow.quarantine.source import NAME as REQUEUE

LOSSES = frozenset({"gap", "restart", "replaced", "truncated", "deleted"})
"""Kinds of notices that tell of something lost upstream."""
SCATTERED = frozenset({REQUEUE})
"""Sources whose resources are other sources' places: they are not read from one end to the other."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions [start, end) of a resource, with the records in them (None: not counted apart)."""

    start: int
    end: int
    records: int | None
    digest: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Positions [start, end) that were not read; `reason` says why, empty when nobody knows."""

    source: str
    partition: str
    resource: str
    start: int
    end: int
    reason: str

    @property
    def explained(self) -> bool:
        """Whether it is known to be lost upstream, or to have been read elsewhere."""
        return bool(self.reason)


def since(earlier: Sequence[Range], later: Sequence[Range]) -> list[Stretch]:
    """Return what `later` has of one resource and `earlier` has not."""
    known = {each.start: each for each in earlier}
    found = []
    for each in later:
        old = known.get(each.start)
        if old is None:
            found.append(Stretch(each.start, each.end, each.records, each.digest))
        elif each.end > old.end:
            found.append(Stretch(old.end, each.end, each.records - old.records, each.digest))
    return found


def replayed(earlier: Sequence[Range], later: Sequence[Range]) -> int:
    """Return how many records of one resource were read once more between two moments."""
    return sum(each.replayed for each in later) - sum(each.replayed for each in earlier)


def uncovered(start: int, end: int, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the parts of [start, end) that no range covers, in order."""
    at = start
    for low, high in sorted(ranges):
        if low >= end:
            break
        if low > at:
            yield at, low
        at = max(at, high)
    if at < end:
        yield at, end


def gaps(moment: Moment, started_from: str = "") -> list[Gap]:
    """Return what was not read between the beginning of each resource and how far it was read.

    `started_from` names the savepoint that the job was started from: what comes before a resource's first
    range was read by the job that the savepoint is of.
    """
    notices: dict[tuple[str, str], list[Notice]] = {}
    for notice in moment.notices:
        if notice.kind in LOSSES:
            notices.setdefault((notice.source, notice.partition), []).append(notice)
    found = []
    for key, ranges in moment.ranges.items():
        source, partition, resource = key
        if source in SCATTERED:
            continue
        first = min(each.start for each in ranges)
        for low, high in uncovered(0, ranges[-1].end, [(each.start, each.end) for each in ranges]):
            reason = _explanation(resource, low, high, notices.get((source, partition), ()))
            if not reason and high == first and started_from:
                reason = f'read before the savepoint "{started_from}", from which the job was started'
            found.append(Gap(source, partition, resource, low, high, reason))
    return found


def lost_upstream(notices: Iterable[Notice]) -> list[Notice]:
    """Return the notices that tell of data that was gone before it could be read."""
    return [
        notice
        for notice in notices
        if notice.kind in LOSSES
        and (notice.kind in {"gap", "restart"} or notice.data.get("unread") or notice.data.get("lost"))
    ]


def _explanation(resource: str, start: int, end: int, notices: Iterable[Notice]) -> str:
    for notice in notices:
        data = notice.data
        about = str(data.get("resource") or data.get("url") or "")
        if resource != about and not resource.startswith(f"{about}~"):
            continue
        # a source that tells the bounds of what it lost is taken at its word
        if "first" in data and not (data["first"] == end or start <= data["first"] <= end):
            continue
        return f"lost upstream: {notice.message}"
    return ""


def versions(description: Mapping[str, object]) -> dict[str, object]:
    """Return what a certificate says of the code: schema, distributions, and what they run on."""
    return {name: description.get(name) for name in ("schema", "distributions", "versions")}


def keys(moments: Iterable[Moment]) -> list[Key]:
    """Return all resources of all moments, in order."""
    return sorted({key for moment in moments for key in moment.ranges})
