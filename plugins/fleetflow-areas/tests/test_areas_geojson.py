"""What the file may hold, and what is refused in words."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from fleetflow_areas.area import AreasError
from fleetflow_areas.geojson import parse
from fleetflow_areas.index import Areas
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = importlib.util.spec_from_file_location("areas_kit", Path(__file__).with_name("areas_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def geometry(kind, coordinates):
    return kit.feature("x", {"type": kind, "coordinates": coordinates})


def found(features, latitude, longitude):
    areas = Areas(parse(kit.collection(*features)))
    _, area = areas.containing(np.array([float(latitude)]), np.array([float(longitude)]))
    return [areas.areas[number].id for number in area]


def test_id_and_name():
    both = parse(
        kit.collection(kit.rectangle(7, 0, 0, 1, 1), {**kit.rectangle("x", 0, 0, 1, 1, name="X"), "id": "y"})
    )
    assert [(area.id, area.name, area.kind) for area in both] == [
        ("7", "7", "rectangle"),
        ("x", "X", "rectangle"),
    ]
    beside = {"type": "Feature", "id": "y", "bbox": [0, 0, 1, 1], "geometry": None, "properties": None}
    assert parse(kit.collection(beside))[0].id == "y"


def test_holes_and_several_parts_of_one_area():
    hole = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]]
    assert found([geometry("Polygon", [SQUARE, hole])], 0.5, 0.5) == []
    assert found([geometry("Polygon", [SQUARE, hole])], 0.1, 0.1) == ["x"]
    assert found([geometry("Polygon", [SQUARE, hole])], 0.25, 0.5) == ["x"], "borders belong to it"
    apart = [[[x + 5, y] for x, y in SQUARE]]
    assert found([geometry("MultiPolygon", [[SQUARE], apart])], 0.5, 5.5) == ["x"]
    assert found([geometry("Polygon", [[[*corner, 99.0] for corner in SQUARE]])], 0.5, 0.5) == ["x"]


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        (
            kit.rectangle("x", 179, -1, -179, 1),
            [(0, 179.5), (0, -179.5), (0, 180), (0, -180)],
            [(0, 0), (0, 178)],
        ),
        (kit.circle("x", 179.9, 0, 50_000), [(0, -179.9), (0, 179.6), (0, 180)], [(0, -179.6), (0, 0)]),
        (kit.circle("x", -179.9, 60, 50_000), [(60, 179.9), (60, -179.05)], [(60, 178), (60, 0)]),
        (kit.circle("x", 10, 89.9, 50_000), [(90, 0), (89.8, 10), (89.9, -170)], [(89, 10)]),
        (kit.circle("x", 0, -90, 200_000), [(-89, 0), (-89, 179), (-88.3, -90)], [(-88, 0), (90, 0)]),
        (
            geometry("Polygon", [[[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]]]),
            [(0.5, -180), (0.5, 180)],
            [(0.5, 0)],
        ),
    ],
    ids=["rectangle", "circle", "circle in the north", "north pole", "south pole", "edge"],
)
def test_antimeridian_and_poles(shape, inside, outside):
    assert [found([shape], *position) for position in inside] == [["x"]] * len(inside)
    assert [found([shape], *position) for position in outside] == [[]] * len(outside)


def test_bbox_of_an_area_that_crosses_the_antimeridian():
    (area,) = parse(kit.collection(kit.rectangle("x", 179, -1, -178, 1)))
    assert area.bbox == (179, -1, -178, 1)


@settings(max_examples=200, deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(1, 2e7), st.floats(-180, 180), st.floats(-90, 90))
def test_box_of_a_circle_holds_it(longitude, latitude, radius_m, to_longitude, to_latitude):
    distance = kit.metres(latitude, longitude, to_latitude, to_longitude)
    if abs(distance - radius_m) > 1e-3:
        expected = ["x"] if distance < radius_m else []
        assert found([kit.circle("x", longitude, latitude, radius_m)], to_latitude, to_longitude) == expected


WRONG = {
    "not JSON": (b"{", "not JSON"),
    "not text": (b"\xff\xfe", "not JSON"),
    "not a collection": (b"[]", "FeatureCollection"),
    "no features": (b'{"type": "FeatureCollection"}', "list of features"),
    "not a feature": (kit.collection(3), "feature 0 is not"),
    "no id": (kit.collection(kit.feature(None, None, [0, 0, 1, 1])), "feature 0 has no id"),
    "id twice": (kit.collection(kit.rectangle("x", 0, 0, 1, 1), kit.circle("x", 1, 1, 1)), 'id "x"'),
    "a line": (kit.collection(geometry("LineString", SQUARE)), "LineString"),
    "a point": (kit.collection(geometry("Point", [1, 1])), "without a radius"),
    "no radius": (kit.collection(kit.circle("x", 1, 1, 0)), "radius_m is 0"),
    "radius in words": (kit.collection(kit.circle("x", 1, 1, "far")), "not a number"),
    "crosses itself": (
        kit.collection(kit.polygon("x", (0, 0), (1, 1), (1, 0), (0, 1))),
        'area "x" is not a valid polygon: Self-intersection',
    ),
    "not degrees": (kit.collection(kit.polygon("x", (0, 0), (0, 91), (1, 0))), "not degrees"),
    "empty": (kit.collection(geometry("Polygon", [])), 'area "x"'),
    "two corners": (kit.collection(geometry("Polygon", [[[0, 0], [1, 1]]])), 'area "x"'),
    "coordinates in words": (kit.collection(geometry("Polygon", "there")), 'area "x"'),
    "no coordinates": (kit.collection(kit.feature("x", {"type": "Polygon"})), 'area "x"'),
    "no type": (kit.collection(kit.feature("x", {})), 'area "x"'),
    "neither": (kit.collection(kit.feature("x", None)), "neither a geometry nor a bbox"),
    "empty bbox": (kit.collection(kit.rectangle("x", 0, 1, 1, 1)), "bbox is empty"),
    "antimeridian": (kit.collection(kit.polygon("x", (179, 0), (-179, 0), (-179, 1))), "antimeridian"),
    "pole": (kit.collection(kit.polygon("x", (-180, 80), (180, 80), (0, 90))), "antimeridian"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_an_area_is_refused_in_words(data, words):
    with pytest.raises(AreasError) as refused:
        parse(data)
    assert words in refused.value.message
    assert refused.value.hint


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-200, 200) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=12,
    )
)
def test_no_junk_is_anything_but_refused_in_words(junk):
    for kind in ("Polygon", "MultiPolygon", "Point"):
        one = kit.feature("x", {"type": kind, "coordinates": junk}, radius_m=5)
        try:
            parse(json.dumps({"type": "FeatureCollection", "features": [one]}).encode())
        except AreasError as error:
            assert error.message
