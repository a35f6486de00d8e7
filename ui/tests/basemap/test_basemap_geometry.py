"""Packing is exact; clipping and simplification keep what they promise."""

import numpy as np
import pytest
from fleetflow_ui.basemap import codec
from fleetflow_ui.basemap.geometry import clip_ring, project, significance
from fleetflow_ui.basemap.shapes import GRID, pack_paths, read_shapes, unpack_paths, write_shapes

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def area(ring):
    following = np.roll(ring, -1, axis=0)
    return abs(float((ring[:, 0] * following[:, 1] - following[:, 0] * ring[:, 1]).sum())) / 2


@pytest.mark.parametrize(
    "values",
    [[], [0], [-1, 1, 63, -64, 64, 127, 128, -128], [2**40, -(2**40), 0, 2**62], list(range(-300, 300))],
)
def test_packed_integers_come_back(values):
    assert codec.decode(codec.encode(values)).tolist() == values


def test_a_cut_sequence_is_refused():
    with pytest.raises(ValueError, match="inside a number"):
        codec.decode(codec.encode([5, 70_000])[:-1])


def test_the_middle_of_the_world_and_its_corners():
    assert project([0, -180, 180], [0, 90, -90]) == pytest.approx(
        np.array([[0.5, 0.5], [0, 0], [1, 1]]), abs=1e-9
    )


@pytest.mark.parametrize(
    ("low", "high", "left"),
    [
        ((-1, -1), (2, 2), 1.0),
        ((0.5, -1), (2, 2), 0.5),
        ((0.25, 0.25), (0.5, 0.75), 0.125),
        ((2, 2), (3, 3), 0),
    ],
)
def test_a_clipped_square_has_the_area_of_the_overlap(low, high, left):
    ring = clip_ring(SQUARE, low, high)
    assert (area(ring) if len(ring) else 0) == pytest.approx(left)


def test_simplified_line_stays_within_the_tolerance():
    steps = np.linspace(0, 6, 400)
    line = np.stack([steps, np.sin(steps)], axis=1)
    rank = significance(line, closed=False)
    for tolerance in (0.3, 0.05, 0.001):
        kept = line[rank >= tolerance]
        drawn = np.interp(steps, kept[:, 0], kept[:, 1])
        assert np.abs(drawn - line[:, 1]).max() <= tolerance * 1.5
        assert 2 <= len(kept) < len(line)


def test_a_ring_below_the_tolerance_goes_as_a_whole():
    rank = significance(SQUARE, closed=True)
    assert (rank >= 0.1).all()
    assert not (rank >= 1.5).any()


def test_shapes_written_come_back(tmp_path):
    ring = np.array([[0.25, 0.25], [0.5, 0.25], [0.5, 0.625]])
    line = np.array([[0.75, 0.125], [0.125, 0.5]])
    areas = pack_paths([ring], [1], [np.array([2, 2, 5])])
    lines = pack_paths([line, line[::-1]], [0, 3], [np.array([1, 1]), np.array([4, 4])])
    write_shapes(tmp_path / "s.npz", areas, lines, {"city": [["Ames", GRID // 4, GRID // 2, 60000]]})
    shapes = read_shapes(tmp_path / "s.npz")
    assert shapes.areas.xy.tolist() == ring.tolist()
    assert shapes.lines.of_kind(3).xy.tolist() == line[::-1].tolist()
    assert shapes.lines.of_kind(3).at_zoom(3, least=2).xy.tolist() == []
    assert (shapes.places["city"][0].x, shapes.places["city"][0].y) == (0.25, 0.5)


def test_only_segments_near_the_rectangle_are_drawn():
    line = np.array([[0.0, 0.0], [0.1, 0.1], [0.5, 0.1], [0.9, 0.9], [1.0, 1.0]])
    paths = unpack_paths(pack_paths([line, line + 0.0], [0, 0], [np.zeros(5), np.zeros(5)]))
    runs = list(paths.runs((0.2, 0.0), (0.3, 0.2)))
    assert [len(run) for run in runs] == [2, 2]
