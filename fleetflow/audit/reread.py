"""Reading one partition again, exactly as far as the job had come, although its input may grow meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleetflow.audit import bounded
from fleetflow.audit.continuity import SCATTERED
from fleetflow.audit.derive import Bound, Derived, Deriver
from fleetflow.contracts.source import Source
from fleetflow.ledger.reader import Range

ATTEMPTS = 3


def reread(
    deriver: Deriver,
    source: Source,
    name: str,
    position: Any,
    ranges: Mapping[str, Sequence[Range]],
    running: bool,
) -> tuple[Derived, dict[str, Bound]]:
    """Return what a partition gives, and the bound of each of its resources.

    What a position emits when it is opened again begins where the job has come. A resource that emits nothing
    was read to its end; if it has grown when it was read afresh, it is read once more with the bound that
    is then known. Of a running job the bounds only matter for a backlog: it reads what has grown by itself.
    """
    after, payloads = bounded.unread(source, name, position)
    if source.name in SCATTERED:
        return deriver.partition(source, name, {}, skip_last=payloads), {}
    bounds = {
        resource: Bound(after.get(resource), ranges[resource][-1].end if resource in ranges else None)
        for resource in {*ranges, *after, *_resources(position)}
    }
    derived = Derived()
    for _ in range(ATTEMPTS):
        derived = deriver.partition(source, name, bounds)
        late = {} if running else bounded.unread(source, name, position)[0]
        grown = [
            resource
            for (_, _, resource), read in derived.reads.items()
            if late.get(resource, read.end) < read.end
            and (resource not in bounds or bounds[resource].must is None)
        ]
        if not grown:
            break
        for resource in grown:
            bounds[resource] = Bound(late[resource], bounds.get(resource, Bound()).counted)
    return derived, {key[2]: bounds.get(key[2], Bound(0, 0)) for key in derived.reads}


def _resources(position: Any) -> list[str]:
    """Return the names of files or services that a position mentions: keys of the mappings in it."""
    if not isinstance(position, Mapping):
        return []
    return [str(key) for part in position.values() if isinstance(part, Mapping) for key in part]
