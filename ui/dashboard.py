"""The map for Bokeh's own server: `bokeh serve ui/dashboard.py`, then http://localhost:5006/dashboard.

`fleetflow ui` serves all pages, and keeps the tiles of the map's ground, for which this server has no place:
here they travel inside the page.
"""

from bokeh.io import curdoc
from fleetflow_ui.bokeh_serve import shared
from fleetflow_ui.map import page

page.build(curdoc(), shared())
