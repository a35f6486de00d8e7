"""The detector in a real job, killed and rescaled, on real bus days; and its commands."""

import importlib.util
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fleetflow_areas.area import AreasError
from fleetflow_areas.commands import areas_group, inside
from fleetflow_areas.geojson import parse
from fleetflow_areas.plugin import fleetflow_detectors, fleetflow_settings

from fleetflow import config, plugins
from fleetflow.plugins import hookimpl
from fleetflow.testing.buses import as_alpha, valid
from fleetflow.testing.home import Home

SPEC = importlib.util.spec_from_file_location("areas_kit", Path(__file__).with_name("areas_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

DOWNTOWN = kit.rectangle("downtown", -97.755, 30.255, -97.73, 30.285, name="Downtown")
AUSTIN = [
    DOWNTOWN,
    kit.circle("capitol", -97.7404, 30.2747, 400),
    kit.circle("airport", -97.6664, 30.1975, 1500),
    kit.polygon("triangle", (-97.75, 30.24), (-97.70, 30.24), (-97.72, 30.32)),
]


def test_kill_and_rescale_in_the_middle_of_real_bus_days_give_the_events_of_the_reference(tmp_path, bus_days):
    rows = [row for row in bus_days if row.day == "2015-03-18"]
    expected = kit.reference(valid(rows), AUSTIN)
    assert len(expected) > 1000, "or little is shown"
    home = Home(tmp_path, on=["areas"], areas={"file": "areas.geojson"})
    kit.write(home.folder / "areas.geojson", *AUSTIN)
    home.killed_and_rescaled(as_alpha(rows))
    events = home.events().values()
    assert sorted((e["vin"], e["time"], e["kind"], e["data"]["area"]) for e in events) == sorted(
        crossing[:4] for crossing in expected
    )
    now = {vin: list(areas) for vin, _, _, _, areas in sorted(expected, key=lambda one: one[1])}
    records = home.rows("vehicles", "list")
    assert {row["vin"]: row["areas"] for row in records if "areas" in row} == {
        vin: areas for vin, areas in now.items() if areas
    }
    in_downtown = {row["vin"] for row in home.rows("areas", "inside", "Downtown")}
    assert in_downtown == {vin for vin, areas in now.items() if "downtown" in areas}
    assert len(in_downtown) > 10


class NoMap:
    def __init__(self, records):
        self.found = records

    def records(self):
        return iter(self.found)

    def close(self):
        self.found = None


def command(path, *arguments, records=()):
    """Run `fleetflow areas ...` with a map of our own."""

    class Given:
        @hookimpl
        def fleetflow_vehicles_map(self):
            return NoMap(list(records))

    loaded = config.load(
        fleetflow_settings(), environment={}, flags={"areas": {"file": str(path) if path else ""}}
    )
    given = plugins.only_these([("given", Given())])

    @click.group()
    @click.pass_context
    def root(ctx):
        ctx.obj, ctx.meta["plugins"] = loaded, given

    root.add_command(areas_group)
    return CliRunner().invoke(root, ["areas", *arguments], catch_exceptions=False)


RECORDS = [
    {"vin": "A", "latitude": 30.26, "longitude": -97.74, "time": 0.0, "status": "CRASHED"},
    {"vin": "B", "latitude": 10.0, "longitude": 10.0, "time": 60.0},
    {"vin": "C", "time": 60.0},
]


@pytest.fixture
def areas(tmp_path):
    return kit.write(tmp_path / "areas.geojson", *AUSTIN)


def test_list_shows_every_area(areas):
    rows = [json.loads(line) for line in command(areas, "list", "--json").stdout.splitlines()]
    assert [(row["id"], row["name"], row["kind"]) for row in rows] == [
        ("downtown", "Downtown", "rectangle"),
        ("capitol", "capitol", "circle"),
        ("airport", "airport", "circle"),
        ("triangle", "triangle", "polygon"),
    ]
    assert rows[0]["bbox"] == [-97.755, 30.255, -97.73, 30.285]
    table = command(areas, "list").stdout
    assert "Downtown" in table
    assert "-97.75500" in table


@pytest.mark.parametrize("name", ["downtown", "Downtown"])
def test_inside_shows_who_is_there(areas, name):
    found = command(areas, "inside", name, "--json", records=RECORDS).stdout
    assert [json.loads(line) for line in found.splitlines()] == RECORDS[:1]
    table = command(areas, "inside", name, records=RECORDS).stdout
    assert "CRASHED" in table
    assert "1970-01-01 00:00:00" in table


def test_inside_knows_an_area_that_was_added_a_moment_ago(areas):
    assert command(areas, "inside", "triangle", "--json", records=RECORDS).stdout
    kit.write(areas, kit.circle("new", 10, 10, 5))
    (line,) = command(areas, "inside", "new", "--json", records=RECORDS).stdout.splitlines()
    assert json.loads(line)["vin"] == "B"


def test_inside_of_no_vehicles_at_all():
    assert inside(parse(kit.collection(DOWNTOWN))[0], []) == []


@pytest.mark.parametrize(
    ("named", "words"),
    [("downtwon", "no area"), ("Twin", "2 areas have the name")],
)
def test_an_area_that_cannot_be_meant_is_refused_in_words(areas, named, words):
    kit.write(
        areas, DOWNTOWN, kit.circle("one", 0, 0, 1, name="Twin"), kit.circle("two", 0, 0, 1, name="Twin")
    )
    with pytest.raises(AreasError, match=words) as refused:
        command(areas, "inside", named)
    assert refused.value.hint in ("did you mean downtown?", "ask by id: one, two")


def test_without_a_file_there_are_no_areas(tmp_path):
    with pytest.raises(AreasError, match="file is empty"):
        command(None, "list")
    with pytest.raises(AreasError, match="cannot be read"):
        command(tmp_path / "nowhere", "list")


@pytest.mark.parametrize(
    ("text", "detectors"), [(None, 0), (kit.collection(DOWNTOWN).decode(), 1), ("{", None)]
)
def test_detector_is_there_when_the_file_is_right(tmp_path, text, detectors):
    path = tmp_path / "areas.geojson"
    if text is not None:
        path.write_text(text)
    flags = {"areas": {"file": "" if text is None else str(path)}}
    loaded = config.load(fleetflow_settings(), environment={}, flags=flags)
    if detectors is None:
        with pytest.raises(AreasError, match="not JSON"):
            fleetflow_detectors(loaded)
    else:
        assert len(fleetflow_detectors(loaded)) == detectors
