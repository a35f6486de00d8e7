"""The map for Bokeh's own server: `bokeh serve ui/dashboard.py`, then http://localhost:5006/dashboard.

`fleetflow ui` does the same and draws the ground of the map too, for which this server has no place.
"""

import functools

from bokeh.io import curdoc
from fleetflow_ui import context, map_page

from fleetflow import application


@functools.cache
def shared() -> context.Context:
    """Return what all sessions of this process share."""
    plugins, configuration = application.load()
    return context.make(plugins, configuration, tiles=False)


map_page.build(curdoc(), shared())
