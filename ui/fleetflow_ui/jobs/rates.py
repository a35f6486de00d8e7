"""The chart of pings per second, a line for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import ColumnDataSource
from bokeh.models.annotations import Legend, LegendItem

from fleetflow_ui.time_chart import LEGEND, TimeChart

LINES = ("#1f77b4", "#e0a100", "#0a7d4b", "#b3589a", "#c4232f", "#6f7d8c")
"""Told apart by people who confuse red and green, too: they differ in lightness."""
SHORTEST_MS = 60_000
"""What the chart shows at least, its right edge being now."""


class RatesChart(TimeChart):
    """Built once; `show` changes lines, ranges and names."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self.rates = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        super().__init__("rates", "Pings per second", 170, css_classes=["chart"])
        self._lines: Any = self.plot.multi_line(
            "xs", "ys", source=self.rates, line_color="colour", line_width=2
        )
        self.legend = Legend(items=[], location="top_left", **LEGEND)
        self.plot.add_layout(self.legend, "above")

    def show(self, history: Sequence[tuple[float, Mapping[str, float]]]) -> None:
        """Draw (time, pings per second by source), the oldest first."""
        names = sorted({name for _, rates in history for name in rates})
        moments = [at * 1000 for at, _ in history]
        self.rates.data = {
            "xs": [moments for _ in names],
            "ys": [[round(rates.get(name, 0.0), 2) for _, rates in history] for name in names],
            "name": names,
            "colour": [LINES[index % len(LINES)] for index in range(len(names))],
        }
        if history:
            highest = max([1.0, *(rate for _, rates in history for rate in rates.values())])
            self.show_range(min(moments[0], moments[-1] - SHORTEST_MS), moments[-1], 1.1 * highest)
        if names != self._named:
            self._named = names
            self.legend.items = [
                LegendItem(label={"value": name}, renderers=[self._lines], index=index)
                for index, name in enumerate(names)
            ]
