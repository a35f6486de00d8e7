"""All about the selected vehicle."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import quote

from bokeh.layouts import column, row
from bokeh.models.widgets import Button, Div, Toggle

from fleetflow.codes import Codes
from fleetflow.config import Configuration
from fleetflow.contracts.detector import Event
from fleetflow.contracts.vehicles import Record
from fleetflow.errors import FleetflowError
from fleetflow.events.reader import Events
from fleetflow_ui import words
from fleetflow_ui.fleet import Fleet
from fleetflow_ui.status import badges, is_speeding, remarks

log = logging.getLogger(__name__)
EVENTS_SHOWN = 5
BOOKKEEPING = "event_marks"
"""Which event set which field last: for the job, not for people."""
WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
TONES: dict[str, words.Tone] = {"critical": "bad", "warning": "warn", "info": ""}


class Panel:
    """The panel at the side; says what it is asked by `on_close`, `on_follow` and `on_zoom`."""

    def __init__(
        self,
        configuration: Configuration,
        on_close: Callable[[], None],
        on_follow: Callable[[bool], None],
        on_zoom: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._titles = titles(configuration)
        self._events: list[Event] = []
        self._head = Div(name="panel-head", margin=0, sizing_mode="stretch_width")
        self._body = Div(name="panel-body", margin=0, sizing_mode="stretch_width")
        self.follow = Toggle(label="Follow", name="follow", margin=0)
        zoom = Button(label="Zoom in", name="zoom-to", margin=0)
        close = Button(label="Close", name="close-panel", margin=0)
        self.follow.on_change("active", lambda attr, old, new: on_follow(new))
        zoom.on_click(on_zoom)
        close.on_click(on_close)
        actions = row(self.follow, zoom, close, margin=0, spacing=6, css_classes=["ff-actions"])
        # most sessions begin without a selection: the browser is given them with the first one
        self._parts = [self._head, actions, self._body]
        self.root = column(
            name="panel",
            visible=False,
            margin=0,
            spacing=12,
            css_classes=["ff-panel"],
        )

    def describe(self, code: str) -> str:
        """Return a code with its title, as plain text."""
        return self._titles.describe(code)

    def load(self, vin: str) -> None:
        """Read the last events of a vehicle."""
        self._events = last_events(self._configuration, vin)

    def show(self, fleet: Fleet, slot: int, now: float, stale_s: float) -> None:
        """Bring the panel up to date; the browser is told of what changed."""
        head = self.head(fleet, slot, now, stale_s)
        body = self.body(fleet, slot, now)
        if self._head.text != head:
            self._head.text = head
        if self._body.text != body:
            self._body.text = body
        if not self.root.children:
            self.root.children = self._parts
        self.root.visible = True

    def head(self, fleet: Fleet, slot: int, now: float, stale_s: float) -> str:
        """Return name, status, motion and when it was last heard of, as HTML."""
        record, age_s = fleet.record_at(slot), now - float(fleet.time[slot])
        stale = age_s > stale_s
        heard = f"last ping {words.ago(age_s)}"
        said = (
            words.note(
                f"Not heard of for {words.duration(age_s)}",
                "warn",
                f"since {words.clock(float(fleet.time[slot]))}",
            )
            if stale
            else ""
        )
        told = " · ".join(map(words.text, remarks(record)))
        told = f'<p class="ff-line">{told}</p>' if told else ""
        return (
            f'<h2 class="ff-vin">{words.text(fleet.vins[slot])}</h2>'
            f'<p class="ff-line">{badges(record)} <b>{words.text(moving(fleet, slot, record))}</b>'
            f' <span class="ff-soft">{heard}</span></p>{told}{said}'
        )

    def body(self, fleet: Fleet, slot: int, now: float) -> str:
        """Return codes, events and the record, as HTML."""
        record = fleet.record_at(slot)
        codes = "".join(
            f"<li>{words.badge(code, TONES[self._titles.severity(code)])} "
            f"{words.text(self._titles.title(code) or 'not in the table of codes')}</li>"
            for code in fleet.codes(slot)
        )
        events = "".join(
            f"<li>{words.badge(event.kind, TONES.get(event.severity, ''))} {words.text(event.message)}"
            f' <span class="ff-soft">{words.ago(now - event.time)}</span></li>'
            for event in self._events
        )
        shown = {name: field(name, value) for name, value in record.items() if name != BOOKKEEPING}
        address = f"vehicles?vin={quote(fleet.vins[slot], safe='')}"
        return (
            f"<h3>Codes</h3>{listed(codes)}<h3>Last events</h3>{listed(events)}"
            f"<h3>Record</h3>{words.facts(shown)}"
            f'<p class="ff-more"><a href="{words.text(address)}">As JSON, beside all other vehicles</a></p>'
        )


def listed(items: str) -> str:
    """Return list items, which are HTML already, as a list; a word when there are none."""
    return f"<ul>{items}</ul>" if items else '<p class="ff-soft">none</p>'


def moving(fleet: Fleet, slot: int, record: Record) -> str:
    """Return a vehicle's speed and direction in words: by its last two pings that this process has seen.

    Nothing when it has seen but one, and a detector that has seen more tells how fast the vehicle is.
    """
    speed_kmh = float(fleet.speed_kmh[slot])
    if math.isnan(speed_kmh) and is_speeding(record):
        return ""
    return motion(speed_kmh, float(fleet.heading_rad[slot]))


def motion(speed_kmh: float, heading_rad: float) -> str:
    """Return speed and direction in words."""
    if math.isnan(speed_kmh):
        return "speed not known yet"
    if speed_kmh < 1:
        return "standing"
    wind = "" if math.isnan(heading_rad) else f" {WINDS[round(heading_rad / math.tau * 8) % 8]}"
    return f"{speed_kmh:,.0f} km/h{wind}"


def field(name: str, value: Any) -> str:
    """Return a field's value as plain text; times also as dates."""
    if name in {"time", "received_at"} and isinstance(value, int | float):
        return f"{words.clock(value)} ({value:.3f})"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


@cache
def titles(configuration: Configuration) -> Codes:
    """Return the titles of codes; the built-in ones when the user's file cannot be read."""
    try:
        return Codes.of(configuration)
    except FleetflowError as error:
        from fleetflow.codes.codes import builtin_titles  # noqa: PLC0415 - only then

        log.warning("%s", error)
        return Codes(builtin_titles())


def last_events(configuration: Configuration, vin: str) -> list[Event]:
    """Return the last events of a vehicle, newest first; none when the store cannot be read."""
    store = Events.of(configuration)
    try:
        return [stored.event for stored in store.list(limit=EVENTS_SHOWN, vin=vin)]
    except FleetflowError as error:
        log.warning("events of %r: %s", vin, error)
        return []
    finally:
        store.close()
