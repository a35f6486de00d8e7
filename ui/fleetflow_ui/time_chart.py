"""What charts over time have in common: a figure with ranges of its own, and a legend above it."""

from __future__ import annotations

from typing import Any

from bokeh.models import NoOverlap, Range1d
from bokeh.plotting import figure

LEGEND: dict[str, Any] = {"orientation": "horizontal", "border_line_color": None, "margin": 0, "padding": 0}
"""How a legend lies above a chart."""


LOW = 200
"""Lower charts, in pixels, have no room for more than three numbers at their side."""


class TimeChart:
    """A figure as wide as its card; whoever fills it calls `show_range`."""

    def __init__(self, name: str, title: str, height: int, **more: Any) -> None:
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self.plot = figure(
            name=name,
            title=title,
            x_axis_type="datetime",
            x_range=self._x,
            y_range=self._y,
            height=height,
            tools="",
            toolbar_location=None,
            sizing_mode="stretch_width",
            **more,
        )
        self.plot.xgrid.visible = False
        ticker: Any = self.plot.xaxis[0].ticker
        ticker.desired_num_ticks = 5
        if height < LOW:
            self.plot.yaxis[0].ticker.desired_num_ticks = 3
        # a phone has no room for all of them
        self.plot.xaxis[0].major_label_policy = NoOverlap(min_distance=8)

    def show_range(self, begin_ms: float, end_ms: float, top: float) -> None:
        """Show this time, in milliseconds since 1970, and what is from 0 to `top`."""
        self._x.update(start=begin_ms, end=end_ms)
        self._y.update(start=0, end=top)
