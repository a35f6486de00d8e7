"""The chart of pings per second, a line for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import ColumnDataSource, Range1d
from bokeh.models.annotations import Legend, LegendItem
from bokeh.plotting import figure

LINES = ("#1f77b4", "#e0a100", "#0a7d4b", "#b3589a", "#c4232f", "#6f7d8c")
"""Told apart by people who confuse red and green, too: they differ in lightness."""
SHORTEST_MS = 60_000
"""What the chart shows at least, its right edge being now."""


class RatesChart:
    """Built once; `show` changes lines, ranges and names."""

    def __init__(self) -> None:
        self._named: list[str] = []
        self.rates = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self.plot = figure(
            name="rates",
            title="Pings per second",
            x_axis_type="datetime",
            x_range=self._x,
            y_range=self._y,
            height=170,
            tools="",
            toolbar_location=None,
            sizing_mode="stretch_width",
            css_classes=["chart"],
        )
        self._lines: Any = self.plot.multi_line(
            "xs", "ys", source=self.rates, line_color="colour", line_width=2
        )
        self.plot.xgrid.visible = False
        ticker: Any = self.plot.xaxis[0].ticker
        ticker.desired_num_ticks = 5
        look: dict[str, Any] = {
            "orientation": "horizontal",
            "border_line_color": None,
            "margin": 0,
            "padding": 0,
        }
        self.legend = Legend(items=[], location="top_left", **look)
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
            self._x.update(start=min(moments[0], moments[-1] - SHORTEST_MS), end=moments[-1])
            self._y.update(start=0, end=1.1 * highest)
        if names != self._named:
            self._named = names
            self.legend.items = [
                LegendItem(label={"value": name}, renderers=[self._lines], index=index)
                for index, name in enumerate(names)
            ]
