"""Detectors that come into a running job by upgrade, and go again: nothing is lost."""

import importlib.util
import json
from pathlib import Path

import pytest

from fleetflow.events.reader import Events

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("jobs_kit", ROOT / "tests/jobs/conftest.py")
jobs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(jobs)
world = jobs.world

BOX = {"type": "Feature", "properties": {"id": "box"}, "geometry": None, "bbox": [19.5, 0.5, 20.5, 5]}


def wheel(world, name):
    """A wheel of the plugin as it is in the tree, under names of its own: it may be installed here, too."""
    package = ROOT / f"plugins/fleetflow-{name}/fleetflow_{name}"
    files = {f"fleetflow_{name}/{path.name}": path.read_text("utf-8") for path in package.glob("*.py")}
    entry = f"[fleetflow]\nadded_{name} = fleetflow_{name}.plugin\n"
    return jobs.wheel(world.home / "wheels", f"fleetflow-added-{name}", "0.1.0", files, entry)


@pytest.fixture
def package(world, monkeypatch):
    """A package of both with its configuration."""
    (world.home / "areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [BOX]}))
    (world.home / "with.toml").write_text('[areas]\nfile = "areas.geojson"\n')
    off = set(world.environment["FLEETFLOW_PLUGINS_DISABLED"].split()) - {"areas", "speed"}
    monkeypatch.setitem(world.environment, "FLEETFLOW_PLUGINS_DISABLED", " ".join(sorted(off)))
    wheels = [wheel(world, "areas"), wheel(world, "speed")]
    world.run("--config", "with.toml", "package", "-o", "with.zip", *wheels)
    monkeypatch.undo()
    return world.home / "with.zip"


def drive(world, times):
    """A vehicle that goes north at 200 km/h from the south border of the box."""
    with (world.home / "fake/fake-0.csv").open("a") as file:
        file.writelines(f"FAST,{0.5 + time * 0.0005},20,{time}\n" for time in times)


def events(world):
    stored = Events(world.home / "data/events")
    try:
        return sorted((each.event.kind, each.event.vin) for each in stored.list(100))
    finally:
        stored.close()


def test_detectors_come_and_go_in_a_running_job_without_a_loss(world, package):
    world.send(30)
    drive(world, [10])
    world.sent += 1
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert events(world) == []
    world.run("upgrade", "trucks", package)
    drive(world, range(20, 800, 10))
    world.send(30)
    world.until_all_arrived()
    world.until(lambda: len(events(world)) >= 2, what="both detectors told what they saw")
    assert events(world) == [("entered", "FAST"), ("speeding", "FAST")]
    world.run("rollback", "trucks")
    world.send(30)
    drive(world, range(10_000, 11_000, 10))
    world.until_all_arrived()
    world.until(lambda: world.vehicles()["FAST"]["time"] == 10_990, what="the last ping")
    assert len(events(world)) == 2
    world.run("cancel", "trucks")
