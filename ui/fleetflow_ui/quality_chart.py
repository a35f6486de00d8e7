"""The chart of rejects over time."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, HoverTool

from fleetflow_ui.quality import BARS, Quality, bars
from fleetflow_ui.time_chart import LEGEND, TimeChart

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a94a3")
"""Told apart by colour-blind people, on white and on black (Okabe and Ito, "Color Universal Design")."""

HEIGHT = 260
"""At least, in pixels."""


class RejectsChart(TimeChart):
    """Stacked bars by rule or source; a group keeps its colour as long as the page is open."""

    def __init__(self) -> None:
        self._colours: dict[str, str] = {}
        self.heaps = ColumnDataSource(bars(Quality(), {}))
        super().__init__("over-time", "Rejects over time", HEIGHT)
        quads: Any = self.plot.quad(
            left="left", right="right", bottom="bottom", top="top", source=self.heaps, fill_color="colour",
            line_color=None, legend_field="group",
        )  # fmt: skip
        self.plot.add_tools(
            HoverTool(
                renderers=[quads],
                tooltips=[("", "@group"), ("rejects", "@count{0,0}"), ("from", "@left{%F %T}")],
                formatters={"@left": "datetime"},
            )
        )
        self.plot.update(sizing_mode="stretch_both", min_height=HEIGHT)
        # there are no half rejects
        up: Any = self.plot.yaxis[0].ticker
        up.min_interval = 1
        legend = self.plot.legend[0]
        legend.update(**LEGEND)
        self.plot.add_layout(legend, "above")

    def show(self, quality: Quality) -> None:
        """Draw the bars; the browser is told when they have changed."""
        heights = quality.heights
        for name in sorted(heights, key=lambda group: -sum(heights[group].values())):
            self._colours.setdefault(name, COLOURS[min(len(self._colours), len(COLOURS) - 1)])
        heaps = bars(quality, self._colours)
        if dict(self.heaps.data) == heaps:
            return
        self.heaps.data = heaps
        end = quality.begin + BARS * quality.width_s
        tops: list[Any] = heaps["top"]
        self.show_range(quality.begin * 1000, end * 1000, 1.08 * max([1, *tops]))
