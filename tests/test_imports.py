"""Who may import whom."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetflow.memory import NUMPY_SETTINGS

ROOT = Path(__file__).parents[1]
PLUGINS = {path.parent.name for path in ROOT.glob("plugins/*/fleetflow_*/__init__.py")}


def imported(folder):
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                yield path, name.split(".")[0]


def test_core_imports_neither_plugins_nor_the_dashboard():
    found = [
        (path, name) for path, name in imported(ROOT / "fleetflow") if name in {*PLUGINS, "fleetflow_ui"}
    ]
    assert found == []


@pytest.mark.parametrize(
    "package", sorted(ROOT.glob("plugins/*/fleetflow_*")), ids=lambda path: path.parent.name
)
def test_no_plugin_imports_another_one(package):
    others = {*PLUGINS, "fleetflow_ui"} - {package.name}
    assert [(path, name) for path, name in imported(package) if name in others] == []


def test_dashboard_imports_no_plugin():
    assert [(path, name) for path, name in imported(ROOT / "ui/fleetflow_ui") if name in PLUGINS] == []


@pytest.mark.parametrize("folder", ["plugins", "ui", "recovery"])
def test_folders_that_must_not_shadow_a_package(folder):
    assert not (ROOT / folder / "__init__.py").exists()


def test_importing_fleetflow_does_no_work():
    code = (
        "import sys, fleetflow; print(*sorted(set(sys.modules) & {'polars', 'bytewax', 'pluggy', 'click'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", NUMPY_SETTINGS)
def test_numpy_is_told_what_to_do_before_it_is_loaded(name):
    # later the variable would say so, and numpy would not know
    code = (
        "import os, sys, fleetflow.__main__, fleetflow.memory; loaded = 'numpy' in sys.modules; "
        f"fleetflow.memory.load_quickly(); print(loaded, os.environ[{name!r}])"
    )
    unset = {key: value for key, value in os.environ.items() if key != name}
    for environment, value in ((unset, NUMPY_SETTINGS[name]), ({**unset, name: "7"}, "7")):
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
        )
        assert done.stdout.split() == ["False", value]


def test_decoders_are_made_once():
    # two threads that begin to decode into one class at the same time crash msgspec 0.22
    sources = [path for folder in ("fleetflow", "plugins", "ui") for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"decode", "convert"}
        and any(keyword.arg == "type" for keyword in node.keywords)
    ]
    assert found == []
