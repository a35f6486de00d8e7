"""Rejects in numbers: how many over time, by source and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleetflow.quarantine.store import Quarantined, QuarantineReader, Selection

SPANS = {"last hour": 3600.0, "last day": 86_400.0, "last week": 604_800.0, "all": 0.0}
"""What a reader may look at, in seconds; 0 is everything."""
QUARANTINED, REQUEUED = "quarantined", "requeued"
"""The states of a reject."""
BARS = 48
SAMPLES = 200


@dataclass(frozen=True, slots=True)
class Quality:
    """One look at the quarantine: `heights` per group and number of a bar; the first begins at `begin`.

    `total` are the rejects that were wished for, `waiting` those of them that were not put back through yet.
    Times are in seconds, `begin` since 1970.
    """

    revision: tuple[int, int] = (0, 0)
    total: int = 0
    waiting: int = 0
    by_rule: Mapping[str, int] = field(default_factory=dict)
    by_source: Mapping[str, int] = field(default_factory=dict)
    by_state: Mapping[str, int] = field(default_factory=dict)
    begin: float = 0.0
    width_s: float = 1.0
    heights: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    samples: Sequence[Quarantined] = ()
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader wants to see: a span of `SPANS`, bars by `rule` or `source`, and a selection."""

    span: str = "last day"
    by: str = "rule"
    selection: Selection = field(default_factory=Selection)


def waiting(selection: Selection) -> Selection:
    """Return those of the selected that were not put back through yet, whatever state was asked for."""
    return replace(selection, state=QUARANTINED)


def look(folder: Path, wish: Wish, now: float, known: Quality | None = None) -> Quality:
    """Read the quarantine; raises StoreError. Returns `known` when nothing has changed since."""
    reader = QuarantineReader(folder)
    try:
        revision = reader.revision()
        if known is not None and known.revision == revision:
            return known
        length = SPANS[wish.span]
        begin = now - length if length else min(reader.begin() or now, now - BARS)
        width = (now - begin) / BARS
        return Quality(
            revision=revision,
            total=reader.count(wish.selection),
            waiting=reader.count(waiting(wish.selection)) if wish.selection.state != REQUEUED else 0,
            by_rule=reader.counts("rule"),
            by_source=reader.counts("source"),
            by_state=reader.counts("state"),
            begin=begin,
            width_s=width,
            heights=reader.over_time(wish.by, wish.selection, begin, width),
            samples=list(reader.rejects(wish.selection, SAMPLES)),
        )
    finally:
        reader.close()


def bars(quality: Quality, colours: Mapping[str, str]) -> dict[str, list[object]]:
    """Return stacked bars as the columns of a quad glyph; times in milliseconds since 1970."""
    found: dict[str, list[object]] = {
        name: [] for name in ("left", "right", "bottom", "top", "group", "count", "colour")
    }
    heaps = [0] * (BARS + 1)
    for group in colours:
        for number, count in sorted(quality.heights.get(group, {}).items()):
            number = min(number, BARS - 1)  # noqa: PLW2901 - what came in while this was read
            left = quality.begin + number * quality.width_s
            values = (
                (left + 0.06 * quality.width_s) * 1000,
                (left + 0.94 * quality.width_s) * 1000,
                heaps[number],
                heaps[number] + count,
                group,
                count,
                colours[group],
            )
            heaps[number] += count
            for name, value in zip(found, values, strict=True):
                found[name].append(value)
    return found
