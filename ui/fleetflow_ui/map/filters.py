"""Which vehicles are shown, chosen by counters that are buttons."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from bokeh.layouts import column
from bokeh.models.layouts import Column
from bokeh.models.widgets import CheckboxButtonGroup

from fleetflow_ui.fleet import Counts, Fleet
from fleetflow_ui.status import CRASHED, NORMAL, OTHER, SELECTED

STATUSES = (("Normal", NORMAL), ("Selected", SELECTED), ("Crashed", CRASHED), ("Other", OTHER))
"""In the order in which `static/widgets.css` gives them their shapes."""
HEARING = ("Live", "Stale")
MOST_CODES = 6
"""Buttons for codes: the most frequent ones, and those chosen."""
MOST_SOURCES = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen; nothing chosen of a sort means all of it."""

    statuses: frozenset[int] = frozenset()
    hearing: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()

    def mask(self, fleet: Fleet, now: float, stale_s: float) -> npt.NDArray[np.bool_]:
        """Return for each vehicle whether it is shown; the caller holds the fleet's lock."""
        n = len(fleet)
        shown = np.ones(n, bool)
        if self.statuses:
            shown &= np.isin(fleet.status[:n], list(self.statuses))
        if len(self.hearing) == 1:
            stale = now - fleet.time[:n] > stale_s
            shown &= stale if "Stale" in self.hearing else ~stale
        if self.sources:
            wanted = [index for index, name in enumerate(fleet.sources) if name in self.sources]
            shown &= np.isin(fleet.source[:n], wanted)
        if self.codes:
            slots = set().union(*(fleet.by_code.get(code, set()) for code in self.codes))
            coded = np.zeros(n, bool)
            coded[list(slots)] = True
            shown &= coded
        return shown

    def shown(self, fleet: Fleet, now: float, stale_s: float) -> npt.NDArray[np.bool_]:
        """Return `mask`, made once for all sessions that chose the same; not to be changed."""
        return fleet.once(("chosen", self.key(now), stale_s), lambda: self.mask(fleet, now, stale_s))

    def key(self, now: float) -> Hashable:
        """Return what names the vehicles that are shown, as long as none of them changes."""
        return (self, int(now) if len(self.hearing) == 1 else 0)

    def __bool__(self) -> bool:
        return bool(self.statuses or len(self.hearing) == 1 or self.sources or self.codes)


@dataclass
class _Group:
    """One row of buttons, with the value that each stands for."""

    title: str
    widget: CheckboxButtonGroup
    values: list[object] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def chosen(self) -> list[object]:
        return [self.values[index] for index in self.widget.active if index < len(self.values)]

    def show(self, values: Sequence[object], labels: list[str]) -> None:
        """Set values and labels; what was chosen stays chosen wherever its button goes."""
        if values != self.values:
            chosen = self.chosen()
            self.values, self.labels = list(values), list(labels)
            self.widget.labels = labels
            self.widget.active = [index for index, value in enumerate(values) if value in chosen]
            self.widget.visible = bool(values)
        elif labels != self.labels:
            self.labels = list(labels)
            self.widget.labels = labels


class FilterBar:
    """The buttons; `on_choice` is called when the choice changes."""

    def __init__(self, on_choice: Callable[[], None]) -> None:
        self._on_choice = on_choice
        self._choice: Choice | None = Choice()

        def group(name: str, title: str) -> _Group:
            widget = CheckboxButtonGroup(
                name=name,
                visible=False,
                css_classes=["ff-chips", f"ff-{name}"],
                margin=0,
                sizing_mode="stretch_width",
            )
            widget.on_change("active", self._on_active)
            return _Group(title, widget)

        self._statuses = group("filter-status", "Status")
        self._hearing = group("filter-hearing", "Heard of")
        self._sources = group("filter-source", "Source")
        self._codes = group("filter-code", "Code")
        self.root: Column = column(
            *(each.widget for each in (self._statuses, self._hearing, self._sources, self._codes)),
            name="filters",
            css_classes=["ff-filters"],
            margin=0,
            spacing=6,
            sizing_mode="stretch_width",
        )

    @property
    def choice(self) -> Choice:
        """What is chosen now; kept, since to read what widgets hold costs more than to use it."""
        if self._choice is None:
            self._choice = self._chosen()
        return self._choice

    def _on_active(self, attr: str, old: list[int], new: list[int]) -> None:
        self._choice = None
        self._on_choice()

    def _chosen(self) -> Choice:
        return Choice(
            frozenset(value for value in self._statuses.chosen() if isinstance(value, int)),
            frozenset(map(str, self._hearing.chosen())),
            frozenset(map(str, self._sources.chosen())),
            frozenset(map(str, self._codes.chosen())),
        )

    def clear(self) -> None:
        """Choose nothing: all vehicles are shown."""
        for each in (self._statuses, self._hearing, self._sources, self._codes):
            each.widget.active = []

    def update(self, counts: Counts) -> None:
        """Show the counts; the browser is told of those that changed."""
        self._statuses.show(
            [value for _, value in STATUSES],
            [f"{name} {counts.statuses[value]:,}" for name, value in STATUSES],
        )
        hearing = (counts.vehicles - counts.stale, counts.stale)
        self._hearing.show(
            list(HEARING), [f"{name} {number:,}" for name, number in zip(HEARING, hearing, strict=True)]
        )
        sources = sorted(counts.sources, key=lambda name: -counts.sources[name])[:MOST_SOURCES]
        self._sources.show(
            sorted(sources),
            [f"{name or 'unknown'} {counts.sources[name]:,}" for name in sorted(sources)],
        )
        kept = [str(code) for code in self._codes.chosen()]
        frequent = sorted(counts.codes, key=lambda code: (-counts.codes[code], code))
        codes = sorted({*kept, *[code for code in frequent if code not in kept][: MOST_CODES - len(kept)]})
        self._codes.show(list(codes), [f"{code} {counts.codes.get(code, 0):,}" for code in codes])
