"""Maintenance and mileage come into a running job by upgrade, and go again: nothing is lost."""

import importlib.util
from pathlib import Path

import pytest

from fleetflow.events.reader import Events

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("jobs_kit", ROOT / "tests/jobs/conftest.py")
jobs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(jobs)
world = jobs.world


def wheel(world, name):
    """A wheel of the plugin as it is in the tree, under names of its own: it may be installed here, too."""
    package = ROOT / f"plugins/fleetflow-{name}/fleetflow_{name}"
    files = {f"fleetflow_{name}/{path.name}": path.read_text("utf-8") for path in package.glob("*.py")}
    entry = f"[fleetflow]\nadded_{name} = fleetflow_{name}.plugin\n"
    return jobs.wheel(world.home / "wheels", f"fleetflow-added-{name}", "0.1.0", files, entry)


@pytest.fixture
def package(world):
    """A package of both with its configuration."""
    (world.home / "with.toml").write_text("[mileage]\nlimit_km = 5\n")
    before = world.environment
    off = set(before["FLEETFLOW_PLUGINS_DISABLED"].split()) - {"maintenance", "mileage"}
    world.environment = {**before, "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(off))}
    wheels = [wheel(world, "maintenance"), wheel(world, "mileage")]
    world.run("--config", "with.toml", "package", "-o", "with.zip", *wheels)
    world.environment = before
    return world.home / "with.zip"


def drive(world, times, codes=""):
    """A vehicle that goes north at 72 km/h."""
    with (world.home / "fake/fake-0.csv").open("a") as file:
        file.writelines(f"TRUCK,{1 + time * 0.00018},20,{time},{codes}\n" for time in times)


def events(world):
    reader = Events(world.home / "data/events")
    found = [(stored.event.kind, stored.event.vin) for stored in reader.list()]
    reader.close()
    return sorted(found)


def test_detectors_come_and_go_in_a_running_job_without_a_loss(world, package):
    world.send(30)
    drive(world, range(0, 400, 10), "P0171")
    world.sent += 1
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert events(world) == []
    world.run("upgrade", "trucks", package)
    drive(world, range(400, 800, 10), "P0171")
    world.send(30)
    world.until_all_arrived()
    told = [("fault", "TRUCK"), ("mileage", "TRUCK")]
    world.until(lambda: events(world) == told, what="both detectors told what they saw")
    world.run("rollback", "trucks")
    world.send(30)
    drive(world, range(10_000, 11_000, 10), "P0300")
    world.until_all_arrived()
    world.until(lambda: world.vehicles()["TRUCK"]["time"] == 10_990, what="the last ping")
    assert events(world) == told
    world.run("cancel", "trucks")
