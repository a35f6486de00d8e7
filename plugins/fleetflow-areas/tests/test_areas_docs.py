"""What the documentation shows is what works."""

import re
import tomllib
from pathlib import Path

from fleetflow_areas.geojson import parse
from fleetflow_areas.settings import AreasSettings

DOCS = Path(__file__).parents[3] / "docs"


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / "how-to/areas.md").read_text("utf-8"), re.DOTALL)


def test_areas_of_the_how_to_are_areas():
    (block,) = blocks("json")
    assert [(area.id, area.name, area.kind) for area in parse(block.encode())] == [
        ("depot", "Depot Austin", "circle"),
        ("downtown", "Downtown", "rectangle"),
    ]


def test_settings_of_the_how_to_are_settings():
    (block,) = blocks("toml")
    assert AreasSettings(**tomllib.loads(block)["areas"]).file == "areas.geojson"


def test_reference_has_every_setting():
    page = (DOCS / "reference/areas.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \|", page, re.MULTILINE)) >= set(AreasSettings.model_fields)
