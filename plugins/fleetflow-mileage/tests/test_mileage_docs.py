"""The reference page names every setting with its default, in its own words."""

import re
from pathlib import Path

import pytest
from fleetflow_mileage.commands import mileage_group
from fleetflow_mileage.settings import MileageSettings

PAGE = (Path(__file__).parents[3] / "docs/reference/mileage.md").read_text("utf-8")
ROWS = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)}


@pytest.mark.parametrize("name", MileageSettings.model_fields)
def test_setting_is_documented(name):
    field = MileageSettings.model_fields[name]
    default, meaning = ROWS[name]
    assert meaning == field.description
    shown = default.strip("`")
    assert shown == str(field.default) or float(shown) == field.default


@pytest.mark.parametrize("command", sorted(mileage_group.commands))
def test_command_is_documented(command):
    pages = PAGE + (Path(__file__).parents[3] / "docs/how-to/mileage.md").read_text("utf-8")
    assert f"fleetflow mileage {command}" in pages
