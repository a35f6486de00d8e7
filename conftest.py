"""What all tests share."""

import importlib.metadata
import os

from hypothesis import HealthCheck, settings

# no test depends on how fast the machine is
settings.register_profile("fleetflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleetflow")

OPTIONAL = {"archive", "areas", "crash", "maintenance", "mileage", "speed"}
"""Installed plugins that change what the flow does; a test that is about one of them turns it on."""

found = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
os.environ.setdefault("FLEETFLOW_PLUGINS_DISABLED", " ".join(sorted(OPTIONAL & found)))
