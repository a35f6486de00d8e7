"""What the documentation shows is what works."""

import re
import tomllib
from pathlib import Path

from fleetflow_speed.settings import SpeedSettings

DOCS = Path(__file__).parents[3] / "docs"


def test_settings_of_the_how_to_are_settings():
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "how-to/speed.md").read_text("utf-8"), re.DOTALL)
    read = [SpeedSettings(**tomllib.loads(block)["speed"]) for block in blocks]
    assert [one.limit_kmh for one in read] == [100, 113]
    assert read[1].reject_jumps


def test_reference_has_every_setting_with_its_default():
    page = (DOCS / "reference/speed.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE)
    shown = {name: value for name, value in rows if name in SpeedSettings.model_fields}
    expected = {
        name: str(value).lower() if isinstance(value, bool) else f"{value:g}"
        for name, value in SpeedSettings().model_dump().items()
    }
    assert shown == expected
