"""The nearest city, and the table it is taken from."""

import pytest
from fleetflow_crash.cities import City, distance_km, load, nearest
from hypothesis import given
from hypothesis import strategies as st

CITIES = load()


def test_the_table_holds_cities_of_all_states_once():
    assert len(CITIES) == 568
    assert len({(city.name, city.state) for city in CITIES}) == 568
    assert len({city.state for city in CITIES}) == 51
    for city in CITIES:
        assert city.name.strip() == city.name != ""
        assert 18 < city.latitude < 72
        assert -180 < city.longitude < -66


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((39.74, -104.99), "Denver"),
        ((41.9, -87.6), "Chicago"),
        ((21.3, -157.8), "Honolulu"),
        ((61.2, -149.9), "Anchorage"),
        ((47.6, -122.3), "Seattle"),
        ((40.7, -74.0), "New York"),
        ((30.27, -97.74), "Austin"),
        ((38.9, -77.0), "Washington"),
    ],
)
def test_the_nearest_city(place, name):
    assert nearest(CITIES, *place)[0].name == name


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
    assert distance_km(a, b) == pytest.approx(km, rel=1e-4, abs=1e-9)


places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(places, places)
def test_a_distance_is_the_same_both_ways_and_never_more_than_half_round(a, b):
    assert distance_km(a, b) == pytest.approx(distance_km(b, a), abs=1e-6)
    assert 0 <= distance_km(a, b) <= 20015.2


def test_over_the_date_line_is_near():
    east, west = City("East", "AK", 52.0, -179.0), City("West", "AK", 52.0, 170.0)
    assert nearest([east, west], 52.0, 179.9)[0] is east
