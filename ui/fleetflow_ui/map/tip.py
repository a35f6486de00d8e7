"""What is told of the vehicle under the pointer."""

from __future__ import annotations

from collections.abc import Callable

from fleetflow_ui import words
from fleetflow_ui.fleet import Fleet
from fleetflow_ui.map.panel import moving
from fleetflow_ui.status import NORMAL, badges, remarks


def words_of(fleet: Fleet, slot: int, now: float, describe: Callable[[str], str]) -> str:
    """Return the words as HTML; `describe` gives a code its title."""
    record = fleet.record_at(slot)
    codes = [describe(code) for code in fleet.codes(slot)] or ["no codes"]
    moment = float(fleet.time[slot])
    states = "" if int(fleet.status[slot]) == NORMAL else f"<div>{badges(record)}</div>"
    told = "".join(f"<div>{words.text(each)}</div>" for each in remarks(record))
    return (
        f"<b>{words.text(fleet.vins[slot])}</b>{states}{told}"
        f"<div>{words.text(moving(fleet, slot, record))}</div>"
        f"<div>{words.clock(moment)} <span class='ff-soft'>{words.ago(now - moment)}</span></div>"
        f"<div>source {words.text(fleet.sources[int(fleet.source[slot])])}</div>"
        + "".join(f"<div>{words.text(code)}</div>" for code in codes)
    )
