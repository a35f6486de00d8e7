"""The nearest city, and the table it is taken from."""

import pytest
from fleetflow_crash.cities import City, load, nearest

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


def test_over_the_date_line_is_near():
    east, west = City("East", "AK", 52.0, -179.0), City("West", "AK", 52.0, 170.0)
    assert nearest([east, west], 52.0, 179.9)[0] is east


def test_of_two_cities_at_one_distance_the_name_decides():
    one, other = City("Alpha", "TX", 10.0, 1.0), City("Beta", "TX", 10.0, -1.0)
    assert nearest([one, other], 10.0, 0.0)[0] is nearest([other, one], 10.0, 0.0)[0] is one
