"""What all tests share."""

import importlib.metadata
import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fleetflow.testing.buses import reports

# no test depends on how fast the machine is
settings.register_profile("fleetflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleetflow")

OPTIONAL = {"archive", "areas", "crash", "maintenance", "mileage", "speed"}
"""Installed plugins that change what the flow does; a test that is about one of them turns it on."""

found = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
os.environ.setdefault("FLEETFLOW_PLUGINS_DISABLED", " ".join(sorted(OPTIONAL & found)))

DAYS = Path(__file__).parent.parent / "shared/data/capmetro"


@pytest.fixture(autouse=True)
def root_level():
    """What a test configures of logging ends with it."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session")
def bus_days():
    """All rows of two days of real buses."""
    if not DAYS.is_dir():
        pytest.skip("the real bus days (../shared/data/capmetro) are not here")
    return reports(DAYS)
