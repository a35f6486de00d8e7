"""Where a session's window looks: fitted to the fleet, centred on a vehicle, following one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fleetflow_ui.fleet import Fleet
from fleetflow_ui.geo import around, centred, mercator
from fleetflow_ui.map.figure import MapFigure

FINDER_WIDE_PX, FINDER_NARROW_PX = (340.0, 0.0), (0.0, 190.0)
"""What the finder covers of the map, from the left and from the top, on a desk and on a phone."""
PHONE_PX = 700.0
"""Up to this width the finder lies at the top and the panel at the bottom, as in `static/map.css`."""
PANEL_NARROW = 0.46
"""The share of the height that the panel may take there."""
CLOSE_ZOOM = 9.0
FARTHEST_ZOOM, NEAREST_ZOOM = 2.0, 14.0


class Camera:
    """Moves the window over the map; `figure` has the view."""

    def __init__(self, figure: MapFigure) -> None:
        self._figure = figure

    def start(self, address: str) -> bool:
        """Show `latitude,longitude,zoom` of a page's address; returns whether it is one."""
        at = address.split(",")
        try:
            latitude, longitude, zoom = map(float, at)
        except ValueError:
            return False
        if not all(map(math.isfinite, (latitude, longitude, zoom))):
            return False
        self._look(*mercator(latitude, longitude), min(NEAREST_ZOOM, max(FARTHEST_ZOOM, zoom)))
        return True

    def fit(self, fleet: Fleet, shown: npt.NDArray[np.bool_]) -> None:
        """Show all vehicles of `shown`; the caller holds the fleet's lock."""
        view, n = self._figure.view, len(shown)
        covered = FINDER_WIDE_PX if view.width_px > PHONE_PX else FINDER_NARROW_PX
        fitting = around(fleet.x[:n][shown], fleet.y[:n][shown], view.width_px, view.height_px, covered)
        if fitting is not None:
            self._figure.look_at(fitting)

    def approach(self, fleet: Fleet, slot: int) -> None:
        """Bring a vehicle into the middle, at a zoom at which its neighbourhood can be seen."""
        self.centre(fleet, slot, max(self._figure.view.zoom, CLOSE_ZOOM - 2))

    def close_in(self, fleet: Fleet, slot: int) -> None:
        """Go nearer to a vehicle."""
        self.centre(fleet, slot, max(CLOSE_ZOOM, self._figure.view.zoom + 1))

    def centre(self, fleet: Fleet, slot: int, zoom: float) -> None:
        """Bring a vehicle into the middle of what is not covered."""
        # as many metres beside the middle as there will be pixels
        scale = 2 ** (self._figure.view.zoom - zoom)
        self._look(float(fleet.x[slot]), float(fleet.y[slot]) - scale * self._above_m(), zoom)

    def follow(self, fleet: Fleet, slot: int) -> None:
        """Keep a vehicle in the middle, once it is more than a pixel off."""
        view = self._figure.view
        x, y = view.middle
        off = (float(fleet.x[slot]) - x, float(fleet.y[slot]) - self._above_m() - y)
        if math.hypot(*off) > view.metres_per_px:
            self.centre(fleet, slot, view.zoom)

    def zoom(self, steps: float) -> None:
        """Go nearer or further away."""
        view = self._figure.view
        self._look(*view.middle, min(NEAREST_ZOOM, max(FARTHEST_ZOOM, view.zoom + steps)))

    def open(self, x: float, y: float) -> None:
        """Go nearer to a place, in metres of Web Mercator."""
        self._look(x, y, self._figure.view.zoom + 2)

    def _look(self, x: float, y: float, zoom: float) -> None:
        view = self._figure.view
        self._figure.look_at(centred(x, y, zoom, view.width_px, view.height_px))

    def _above_m(self) -> float:
        """How far above the middle a selected vehicle is shown: on a phone its panel covers what is below."""
        view = self._figure.view
        if view.width_px > PHONE_PX:
            return 0.0
        top, bottom = FINDER_NARROW_PX[1], (1 - PANEL_NARROW) * view.height_px
        return (view.height_px / 2 - (top + bottom) / 2) * view.metres_per_px
