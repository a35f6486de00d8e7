"""The list of rejects on /quality, and the one that is picked, with its raw bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div

from fleetflow_ui import words
from fleetflow_ui.parts import ROW_HEIGHT, put, table
from fleetflow_ui.quality import QUARANTINED, SAMPLES, Quality
from fleetflow_ui.quality_raw import raw_card, side_card

TITLES = {
    "id": ("id", 70), "when": ("quarantined (UTC)", 160), "rule": ("rule", 120), "source": ("source", 90),
    "reason": ("reason", 300), "where": ("where", 220), "state": ("state", 100),
}  # fmt: skip
SAMPLES_SEEN = 12
"""Rows of the list that are seen at once; more are scrolled."""


class Samples:
    """The newest rejects that were wished for; `on_select` is called when others are selected."""

    def __init__(self, on_select: Callable[[], None]) -> None:
        self._quality = Quality()
        self._on_select = on_select
        self.source = ColumnDataSource({name: [] for name in TITLES})
        self.source.selected.on_change("indices", lambda attr, old, new: self._show_selected())
        self.table = table(self.source, TITLES, "samples", selectable="checkbox")
        self.caption = Div(name="caption", margin=0, sizing_mode="stretch_width")
        self.raw = side_card("raw")

    def show(self, quality: Quality) -> None:
        """Show rejects; those that were selected stay so."""
        chosen = self._selected_ids()
        self._quality = quality
        columns: dict[str, list[Any]] = {
            "id": [str(each.id) for each in quality.samples],
            "when": [words.clock(each.quarantined_at).removesuffix(" UTC") for each in quality.samples],
            "rule": [each.rule for each in quality.samples],
            "source": [each.source for each in quality.samples],
            "reason": [each.reason for each in quality.samples],
            "where": [f"{each.resource} [{each.start}, {each.end})" for each in quality.samples],
            "state": [each.state for each in quality.samples],
        }
        if dict(self.source.data) != columns:
            self.source.data = columns
            self.source.selected.indices = [
                index for index, each in enumerate(quality.samples) if each.id in chosen
            ]
        height = ROW_HEIGHT * (min(SAMPLES_SEEN, max(1, len(quality.samples))) + 1) + 4
        if self.table.height != height:
            self.table.height = height
        shown = f"the newest {SAMPLES} of " if quality.total > SAMPLES else ""
        said = f'<h3 class="ff-title">{words.text(shown)}{words.count(quality.total, "reject")}</h3>'
        if not quality.total and quality.by_rule:
            said += '<p class="ff-soft">None is like what you chose.</p>'
        put(self.caption, said)
        self._show_selected()

    def waiting_ids(self) -> list[int]:
        """Return those of the selected rejects that were not put back through yet."""
        chosen = set(self._selected_ids())
        return [each.id for each in self._quality.samples if each.id in chosen and each.state == QUARANTINED]

    def clear(self) -> None:
        """Select nothing."""
        self.source.selected.indices = []

    def _selected_ids(self) -> list[int]:
        ids = list(self.source.data["id"])
        return [int(ids[index]) for index in self.source.selected.indices if index < len(ids)]

    def _show_selected(self) -> None:
        chosen = self._selected_ids()
        newest = next((each for each in self._quality.samples if each.id in chosen[-1:]), None)
        put(self.raw, raw_card(newest))
        self._on_select()
