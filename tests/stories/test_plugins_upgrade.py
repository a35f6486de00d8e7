"""All optional plugins come into a running job by one upgrade, and go by one rollback: nothing is lost."""

import importlib.util
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from fleetflow.events.reader import Events

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("jobs_kit_of_plugins", ROOT / "tests/jobs/conftest.py")
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)
world = kit.world

PLUGINS = ("archive", "areas", "crash", "maintenance", "mileage", "speed")
DEGREES_PER_S = 150 / 3.6 / 111_195
"""To the north at 150 km/h."""
BOX = {"type": "Feature", "properties": {"id": "box"}, "geometry": None, "bbox": [19.5, 0.5, 20.5, 5]}


def wheel(world, name):
    """A wheel of a plugin as it is in the tree, under a name of its own: it may be installed here, too."""
    folder = ROOT / f"plugins/fleetflow-{name}"
    files = {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in (folder / f"fleetflow_{name}").rglob("*")
        if path.suffix in {".py", ".csv"}
    }
    entry = f"[fleetflow]\nadded_{name} = fleetflow_{name}.plugin\n"
    return kit.wheel(world.home / "wheels", f"fleetflow-added-{name}", "0.1.0", files, entry)


@pytest.fixture
def package(world):
    """All plugins with their configuration."""
    for name in PLUGINS:
        pytest.importorskip(f"fleetflow_{name}.plugin")
    (world.home / "areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [BOX]}))
    (world.home / "with.toml").write_text('[areas]\nfile = "areas.geojson"\n[mileage]\nlimit_km = 5\n')
    before = world.environment
    # the tables of the configuration must be known while it is packed
    off = set(before["FLEETFLOW_PLUGINS_DISABLED"].split()) - {"areas", "mileage"}
    world.environment = {**before, "FLEETFLOW_PLUGINS_DISABLED": " ".join(sorted(off))}
    wheels = [wheel(world, name) for name in PLUGINS]
    world.run("--config", "with.toml", "package", "-o", "with.zip", *wheels)
    world.environment = before
    return world.home / "with.zip"


def drive(world, times, codes=""):
    """A truck that goes through the box."""
    with (world.home / "fake/fake-0.csv").open("a") as file:
        file.writelines(f"TRUCK,{0.5 + time * DEGREES_PER_S},20,{time},{codes}\n" for time in times)


def events(world):
    reader = Events(world.home / "data/events")
    found = sorted((stored.event.kind, stored.event.vin) for stored in reader.list(1000))
    reader.close()
    return found


def archived(world):
    from fleetflow_archive.archive import Archive

    columns = {"vin": pl.String(), "time": pl.Float64(), "sequence": pl.Int64()}
    found = Archive(world.home / "data/archive", columns).between(float("-inf"), float("inf"))
    return Counter(found["vin"].to_list())


def test_all_optional_plugins_come_and_go_in_a_running_job_without_a_loss(world, package):
    world.send(20, codes=",B0001")
    drive(world, [10], "P0171")
    world.sent += 1
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    assert events(world) == []
    world.run("upgrade", "trucks", package, "--watch", "0")
    drive(world, range(20, 800, 10), "P0171")
    world.send(5, codes=",B0001")
    world.until_all_arrived()
    # the truck has taken a number, too
    new = [f"V{number:05d}" for number in range(21, 26)]
    told = sorted(
        [(kind, "TRUCK") for kind in ("entered", "fault", "mileage", "speeding")]
        + [(kind, vin) for kind in ("crash", "fault") for vin in new]
    )
    world.until(lambda: events(world) == told, what="all detectors told what they saw since the upgrade")
    kept = Counter({"TRUCK": 78, **dict.fromkeys(new, 1)})
    world.until(lambda: archived(world) == kept, what="what came since is archived")
    world.run("rollback", "trucks", "--watch", "0")
    world.send(20, codes=",B0001")
    drive(world, range(10_000, 10_100, 10), "P0300")
    world.until_all_arrived()
    world.until(lambda: world.vehicles()["TRUCK"]["time"] == 10_090, what="the last ping")
    assert events(world) == told
    assert archived(world) == kept
    world.run("cancel", "trucks")
