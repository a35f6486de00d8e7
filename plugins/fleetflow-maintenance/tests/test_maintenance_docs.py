"""The reference page names every setting with its default, in its own words."""

import re
from pathlib import Path

import pytest
from fleetflow_maintenance.commands import maintenance_group
from fleetflow_maintenance.settings import MaintenanceSettings

PAGE = (Path(__file__).parents[3] / "docs/reference/maintenance.md").read_text("utf-8")
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)}


@pytest.mark.parametrize("name", MaintenanceSettings.model_fields)
def test_setting_is_documented(name):
    field = MaintenanceSettings.model_fields[name]
    default, meaning = ROWS[name]
    assert meaning == field.description
    shown = default.strip("`")
    assert shown == str(field.default) or float(shown) == field.default


@pytest.mark.parametrize("command", sorted(maintenance_group.commands))
def test_command_is_documented(command):
    pages = PAGE + (Path(__file__).parents[3] / "docs/how-to/maintenance.md").read_text("utf-8")
    assert f"fleetflow maintenance {command}" in pages
