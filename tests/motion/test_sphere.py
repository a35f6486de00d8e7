"""Distances on the earth: known ones, and the two ways to them compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.motion.sphere import EARTH_RADIUS_M, chords, haversine, legs, metres, millimetres, on_sphere

HALF_ROUND_M = np.pi * EARTH_RADIUS_M


def distance_m(a, b):
    return float(metres(haversine(*(np.array([degrees]) for degrees in (*a, *b))))[0])


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0.0, 0.0), (0.0, 0.0), 0.0),
        ((0.0, 0.0), (0.0, 180.0), 20015.1),
        ((90.0, 0.0), (-90.0, 77.0), 20015.1),
        ((0.0, 0.0), (1.0, 0.0), 111.195),
        ((60.0, 179.5), (60.0, -179.5), 55.597),
        # Nashville to Los Angeles, the example that is often given for this formula
        ((36.12, -86.67), (33.94, -118.4), 2886.4),
    ],
)
def test_distances_that_are_known(a, b, km):
    assert distance_m(a, b) / 1000 == pytest.approx(km, rel=1e-4, abs=1e-9)


places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(places, places)
def test_a_distance_is_the_same_both_ways_and_never_more_than_half_round(a, b):
    assert distance_m(a, b) == pytest.approx(distance_m(b, a), abs=1e-3)
    assert 0 <= distance_m(a, b) <= HALF_ROUND_M + 1e-6


@given(st.lists(places, min_size=2, max_size=20))
def test_points_on_the_sphere_are_as_far_apart_as_the_haversine_formula_says(track):
    latitude, longitude = np.array(track).T
    points = on_sphere(latitude, longitude)
    assert np.allclose(np.sum(points**2, axis=0), 1)
    apart = metres(chords(points[:, 1:], points[:, :-1]))
    said = metres(haversine(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:]))
    # where positions are on opposite sides of the earth a chord says little about the last metres
    near = said < 0.99 * HALF_ROUND_M
    assert np.allclose(apart[near], said[near], rtol=1e-7, atol=1e-6)


eighths = st.tuples(
    st.integers(-1440, 1440).map(lambda n: n / 16), st.integers(-2880, 2880).map(lambda n: n / 16)
)


@given(st.lists(places | eighths, min_size=1, max_size=30))
def test_points_on_the_sphere_are_what_sines_and_cosines_say(track):
    latitude, longitude = np.array(track).T
    phi, lam = np.radians(latitude), np.radians(longitude)
    expected = np.array([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    assert np.abs(on_sphere(latitude, longitude) - expected).max() < 1e-15


def test_a_point_on_the_sphere_depends_on_its_position_alone():
    generator = np.random.default_rng(3)
    latitude, longitude = generator.uniform(-90, 90, 40_000), generator.uniform(-180, 180, 40_000)
    points = on_sphere(latitude, longitude)
    for rows in (slice(1, 2), slice(16_380, 16_390), slice(7, None, 3)):
        assert np.array_equal(on_sphere(latitude[rows], longitude[rows]), points[:, rows])
    assert on_sphere(latitude[:0], longitude[:0]).shape == (3, 0)
    assert np.isnan(on_sphere(np.array([np.nan]), np.array([1.0]))).all()


@given(st.lists(st.lists(places, min_size=1, max_size=6), min_size=1, max_size=4))
def test_legs_lead_from_the_position_before_within_each_vehicle(tracks):
    latitude, longitude = np.array([place for track in tracks for place in track]).T
    size = np.array([len(track) for track in tracks])
    first = np.cumsum(size) - size
    start = np.array([(1.0, 2.0)] * len(tracks)).T
    found = metres(legs(latitude, longitude, first, *start))
    ways = [pair for track in tracks for pair in zip([(1.0, 2.0), *track], track, strict=False)]
    assert found == pytest.approx([distance_m(a, b) for a, b in ways], abs=1e-6)


def test_millimetres_are_whole_and_nothing_is_known_of_what_is_no_number():
    chord = haversine(np.array([0.0, np.nan]), np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.zeros(2))
    assert millimetres(chord).tolist() == [111195080, 0]


@given(st.lists(st.floats(0, 4) | st.floats(0, 1e-6), min_size=1, max_size=9))
def test_short_and_long_distances_follow_the_same_formula(squared):
    expected = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.sqrt(squared) / 2, 1))
    assert np.allclose(metres(np.array(squared)), expected, rtol=1e-14, atol=1e-9)


@given(
    st.lists(st.tuples(st.floats(-89, 89), st.floats(-170, 170), st.floats(-2, 2) | st.floats(-1e-3, 1e-3)))
)
def test_steps_small_and_large_are_as_long_as_sines_say(steps):
    latitude, longitude, step = np.array(steps).reshape(-1, 3).T
    phi, to_phi = np.radians(latitude), np.radians(latitude + step / 2)
    turn = np.radians((longitude + step) - longitude)
    sines = np.sin((to_phi - phi) / 2) ** 2 + np.cos(phi) * np.cos(to_phi) * np.sin(turn / 2) ** 2
    found = haversine(latitude, longitude, latitude + step / 2, longitude + step)
    assert np.allclose(found, 4 * sines, rtol=1e-9, atol=1e-28)
