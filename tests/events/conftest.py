"""A store, a reader of it, and notifiers that are not waited for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleetflow.events.reader import Events
from fleetflow.events.store import EventsStore


@pytest.fixture
def store(tmp_path):
    opened = EventsStore(tmp_path / "data/events")
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path):
    opened = Events(tmp_path / "data/events")
    yield opened
    opened.close()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("fleetflow.events.outbox.POLL_S", 0.02)
    monkeypatch.setattr("fleetflow.events.outbox.BACKOFF_S", 0.01)
