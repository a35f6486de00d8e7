"""What all tests share."""

import importlib.metadata
import os

OPTIONAL = {"archive", "areas", "crash", "maintenance", "mileage", "speed"}
"""Installed plugins that change what the flow does; a test that is about one of them turns it on."""

found = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
os.environ.setdefault("FLEETFLOW_PLUGINS_DISABLED", " ".join(sorted(OPTIONAL & found)))
