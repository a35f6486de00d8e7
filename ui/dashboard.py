"""The map for Bokeh's own server: `bokeh serve ui/dashboard.py`, then http://localhost:5006/dashboard.

`fleetflow ui` serves all pages, and keeps the tiles of the map's ground, for which this server has no place:
here they travel inside the page.
"""

import functools

from bokeh.io import curdoc
from fleetflow_ui import context
from fleetflow_ui.map import page

from fleetflow import application


@functools.cache
def shared() -> context.Context:
    """Return what all sessions of this process share."""
    plugins, configuration = application.load()
    return context.make(plugins, configuration, tiles=False)


page.build(curdoc(), shared())
