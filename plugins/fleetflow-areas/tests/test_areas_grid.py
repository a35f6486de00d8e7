"""Grid and tree find the same: no box is missed, whatever lies where."""

import numpy as np
import pytest
from fleetflow_areas import grid
from fleetflow_areas.area import Area, Circle
from fleetflow_areas.grid import Grid
from fleetflow_areas.index import Areas
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box, intersects_xy

longitudes, latitudes = st.integers(-6, 6).map(lambda n: n * 30.0), st.integers(-6, 6).map(lambda n: n * 15.0)


@st.composite
def boxes(draw):
    west, east = sorted((draw(longitudes), draw(longitudes)))
    south, north = sorted((draw(latitudes), draw(latitudes)))
    return west, south, east, north


positions = st.lists(st.tuples(latitudes, longitudes), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes(), max_size=14), positions, st.booleans())
def test_no_box_that_a_position_lies_in_is_missing(boxes, positions, few_sets):
    """Positions on the corners of boxes, and boxes without width; crowded cells are told as such."""
    with pytest.MonkeyPatch.context() as patch:
        if few_sets:
            patch.setattr(grid, "MOST_SETS", 4)
        made = Grid(np.array(boxes, np.float64).reshape(-1, 4))
    latitude, longitude = np.array(positions, np.float64).reshape(-1, 2).T
    at, box, elsewhere = made.near(latitude, longitude)
    told = set(zip(at.tolist(), box.tolist(), strict=True))
    assert len(told) == len(at)
    assert not set(at.tolist()) & set(elsewhere.tolist())
    for number, (y, x) in enumerate(positions):
        lies_in = {(number, i) for i, (w, s, e, n) in enumerate(boxes) if w <= x <= e and s <= y <= n}
        assert number in elsewhere or lies_in <= told


def test_what_is_not_a_position_is_near_nothing():
    made = Grid(np.array([[-180.0, -90, 180, 90]]))
    at, _, elsewhere = made.near(np.array([np.nan, 1, 2]), np.array([1, np.nan, 2]))
    assert (at.tolist(), elsewhere.tolist()) == ([2], [])


def test_many_boxes_in_one_place_are_left_to_the_tree():
    made = Grid(np.array([[0.0, 0, 1, 1]] * (grid.MOST + 1) + [[50.0, 50, 51, 51]]))
    at, box, elsewhere = made.near(np.array([0.5, 50.5]), np.array([0.5, 50.5]))
    assert (at.tolist(), box.tolist(), elsewhere.tolist()) == ([1], [grid.MOST + 1], [0])


def test_areas_in_one_place_are_all_found_by_grid_and_tree():
    """From one area to more than a cell lists; positions on borders and corners belong to all of them."""
    shapes = [box(0, 0, 1, 1), Polygon([(0, 0), (1, 0), (0, 1)]), Polygon([(0, 0), (1, 0), (1, 1), (0.5, 1)])]
    latitude, longitude = np.array([(y, x) for y in np.linspace(-1, 2, 31) for x in np.linspace(-1, 2, 31)]).T
    for count in range(1, 2 * grid.MOST):
        polygons = [shapes[number % 3] for number in range(count)]
        areas = [Area(str(n), str(n), "polygon", polygons=(one,)) for n, one in enumerate(polygons)]
        round_ = Area("far", "far", "circle", circle=Circle(60, 60, 1000))
        position, area = Areas([*areas, round_]).containing(latitude, longitude)
        expected = np.array([intersects_xy(one, longitude, latitude) for one in polygons]).T.nonzero()
        assert position.tolist() == expected[0].tolist()
        assert area.tolist() == expected[1].tolist()


def test_small_boxes_among_wide_ones_are_all_found():
    generator = np.random.default_rng(5)
    west, south = generator.uniform(0, 9, (2, 2_000))
    width = np.where(np.arange(2_000) % 500 == 0, 6, generator.uniform(0, 0.02, 2_000))
    boxes = np.stack([west, south, west + width, south + width], axis=1)
    x, y = np.concatenate([boxes[:, :2], boxes[:, 2:], generator.uniform(-1, 11, (2_000, 2))]).T
    at, of, elsewhere = Grid(boxes).near(y, x)
    told = np.zeros((len(x), len(boxes)), np.bool_)
    told[at, of] = True
    told[elsewhere] = True
    x, y = x[:, None], y[:, None]
    inside = (x >= boxes[:, 0]) & (x <= boxes[:, 2]) & (y >= boxes[:, 1]) & (y <= boxes[:, 3])
    assert (told >= inside).all()
    assert len(elsewhere) < len(x) / 10
    assert len(at) < 3 * inside.sum()
