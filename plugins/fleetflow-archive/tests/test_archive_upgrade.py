"""The archive comes into a running job by an upgrade, goes again, and comes back."""

import importlib.util
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from fleetflow_archive.archive import Archive

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("jobs_kit_of_archive", ROOT / "tests/jobs/conftest.py")
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)
world = kit.world

COLUMNS = {"vin": pl.String(), "time": pl.Float64(), "sequence": pl.Int64()}
ENTRY_POINTS = "[fleetflow]\narchived = fleetflow_archive.plugin\n"


def archive_package(world):
    """The archive as a wheel under another name: the one that is installed is turned off here."""
    folder = ROOT / "plugins/fleetflow-archive"
    files = {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.glob("fleetflow_archive/*.py")
    }
    wheel = kit.wheel(world.home / "wheels", "fleetflow-archived", "1.0.0", files, ENTRY_POINTS)
    world.run("package", "-o", "archived.zip", wheel)
    return world.home / "archived.zip"


def archived(world):
    found = Archive(world.home / "data/archive", COLUMNS).between(float("-inf"), float("inf"))
    return Counter(found["vin"].to_list())


def numbers(*stretches):
    return Counter(f"V{number:05d}" for first, end in stretches for number in range(first, end))


@pytest.mark.timeout(300)
def test_archive_added_to_a_running_job_and_removed_again_loses_nothing(world):
    package = archive_package(world)
    world.send(30)
    world.run("submit", "-n", "trucks", "-w", "1")
    world.until_all_arrived()
    world.run("upgrade", "trucks", package, "--watch", "0")
    world.send(30)
    world.until_all_arrived()
    world.until(lambda: archived(world) == numbers((30, 60)), what="what came since is archived")
    world.run("rollback", "trucks", "--watch", "0")
    world.send(30)
    world.until_all_arrived()
    assert archived(world) == numbers((30, 60))
    world.run("upgrade", "trucks", package, "--watch", "0")
    world.send(30)
    world.until_all_arrived()
    world.until(lambda: archived(world) == numbers((30, 60), (90, 120)), what="archived again")
    world.run("cancel", "trucks")
    assert archived(world) == numbers((30, 60), (90, 120))
