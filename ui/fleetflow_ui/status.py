"""What a vehicle's status means for its colour, and how status and remarks are told in words."""

from __future__ import annotations

from typing import Any

from fleetflow.contracts.vehicles import Record
from fleetflow_ui import words

NORMAL, CRASHED, OTHER, SELECTED = 0, 1, 2, 3
"""The sorts that have colours; OTHER is any status of a detector or person that is none of the three."""
KNOWN = {"NORMAL": NORMAL, "CRASHED": CRASHED, "SELECTED": SELECTED}
TONES: dict[int, words.Tone] = {NORMAL: "", CRASHED: "bad", OTHER: "warn", SELECTED: "good"}


def sort_of(value: object) -> int:
    """Return the sort of a record's field `status`."""
    return KNOWN.get(str(value or "NORMAL").upper(), OTHER)


def badges(record: Record) -> str:
    """Return a vehicle's status as HTML, with the one that it had before it was selected."""
    status = record.get("status") or "NORMAL"
    before = record.get("status_before_selected")
    shown = badge(status)
    if before and sort_of(status) == SELECTED:
        # that somebody selected it must not hide that it has crashed
        shown += f" {badge(before)}"
    return shown


def badge(status: Any) -> str:
    """Return one status as HTML."""
    tone = TONES[sort_of(status)]
    return words.badge(str(status).replace("_", " ").capitalize(), tone)


def is_speeding(record: Record) -> bool:
    """Whether a detector says that a vehicle is too fast, by its status or beside it."""
    return bool(record.get("speeding")) or _named_speeding(record)


def _named_speeding(record: Record) -> bool:
    return "SPEEDING" in str(record.get("status")).upper()


def remarks(record: Record) -> list[str]:
    """Return what detectors and people say of a vehicle beside its status, as plain text."""
    said = [str(record[name]) for name in ("note", "maintenance") if record.get(name)]
    if is_speeding(record) and not _named_speeding(record):
        said.append("speeding")
    areas = record.get("areas")
    if isinstance(areas, list | tuple) and areas:
        said.append(f"in {', '.join(map(str, areas))}")
    return list(dict.fromkeys(said))
