"""The tutorial on detectors: its files are written, its test is run, its commands are run in a real job."""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/tutorial/write-a-detector.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
FILES = {
    text.split("\n", 1)[0].removeprefix("# "): text for kind, text in BLOCKS if kind in {"python", "toml"}
}


@pytest.fixture
def package(tmp_path):
    """The reader's folder, as it is after `pip install -e .`: what an installer records, without one."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [f"{name} = {target}\n" for name, target in project["entry-points"]["fleetflow"].items()]
    (info / "entry_points.txt").write_text("".join(["[fleetflow]\n", *points]))
    return tmp_path


def run(package, *command, **more):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLEETFLOW_")}
    optional = {"archive", "areas", "crash", "maintenance", "mileage", "speed"}
    found = {entry.name for entry in importlib.metadata.entry_points(group="fleetflow")}
    environment["FLEETFLOW_PLUGINS_DISABLED"] = " ".join(sorted(optional & found))
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        command,
        cwd=package,
        env={**environment, "PYTHONPATH": os.pathsep.join([str(package), root])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **more,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_detector_is_about_30_lines():
    lines = [line for line in FILES["fleetflow_north/plugin.py"].splitlines() if line.strip()]
    assert len(lines) <= 33


def test_its_test_passes(package):
    done = run(package, sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "1 passed" in done.stdout


def _points(folder):
    (found,) = importlib.metadata.distributions(name="fleetflow-north", path=[str(folder)])
    return found.entry_points


@pytest.mark.skipif(
    not importlib.util.find_spec("hatchling"), reason="hatchling, which builds it, is missing"
)
def test_it_is_a_package_that_can_be_installed(package):
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", "site"]
    run(package, sys.executable, "-P", "-m", "pip", "install", *options, ".")
    (point,) = _points(package / "site")
    assert (point.group, point.name, point.value) == ("fleetflow", "north", "fleetflow_north.plugin")
    assert (package / "site/fleetflow_north/plugin.py").read_text() == FILES["fleetflow_north/plugin.py"]


def test_its_commands_do_in_a_job_what_the_page_says(package):
    (commands,) = [text for kind, text in BLOCKS if kind == "console"]
    shell = f'set -e\nfleetflow() {{ "{sys.executable}" -P -m fleetflow "$@"; }}\n'
    done = run(package, "bash", "-c", shell + commands)
    assert "TRUCK1 went north of 49" in done.stderr
    assert "TRUCK1 went north of 49" in done.stdout
    assert "in the north" in done.stdout
    again = "rm -r recovery\nFLEETFLOW_BETA_URL= fleetflow run --once\nfleetflow events list --json\n"
    done = run(package, "bash", "-c", shell + again)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["north-TRUCK1"]
    assert "went north" not in done.stderr
