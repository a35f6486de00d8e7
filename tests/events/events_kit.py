"""Events to store, and a notifier that remembers what it was told."""

import time
from contextlib import contextmanager

from fleetflow import config
from fleetflow.builtin import core
from fleetflow.builtin import events as plugin
from fleetflow.contracts.detector import Event
from fleetflow.events.outbox import Outbox


def event(number, vin="A", kind="crash", severity="critical", **more):
    fields = {"id": f"e{number}", "vin": vin, "time": float(number), "kind": kind, "severity": severity}
    return Event(**{**fields, "message": f"event {number}", **more})


def loaded(tmp_path, **tables):
    models = {**core.fleetflow_settings(), **plugin.fleetflow_settings()}
    return config.load(models, environment={"FLEETFLOW_HOME": str(tmp_path)}, flags={"events": tables})


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def numbers(found):
    return [stored.event.id for stored in found]


class Recorder:
    """A notifier that remembers, and fails as often as it is told to."""

    def __init__(self, name="recorder", failures=0):
        self.name, self.failures, self.attempts, self.told, self.closed = name, failures, 0, [], False

    def notify(self, events):
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise OSError("not now")
        self.told += [each.id for each in events]

    def close(self):
        self.closed = True


@contextmanager
def outbox(tmp_path, store, *notifiers):
    opened = Outbox(tmp_path / "data/events", store, notifiers)
    try:
        yield opened
    finally:
        opened.close()
