"""What sessions under `bokeh serve ui/dashboard.py` share: the script runs anew for each, this does not."""

from __future__ import annotations

import functools

from fleetflow import application
from fleetflow_ui.context import Context, make
from fleetflow_ui.server import prepare


@functools.cache
def shared() -> Context:
    """Return what all sessions of this process share; the first session makes it, and prepares the process.

    That server gives no earlier occasion, so what the first session has made by then is never collected.
    """
    plugins, configuration = application.load()
    context = make(plugins, configuration, tiles=False)
    prepare()
    return context
