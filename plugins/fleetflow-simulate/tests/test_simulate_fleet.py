"""VINs, roads and trucks."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from fleetflow_simulate import vin
from fleetflow_simulate.faults import CRASH_CODE, FaultHistory
from fleetflow_simulate.fleet import Fleet
from fleetflow_simulate.roads import distance_km, network, routes
from hypothesis import given, settings
from hypothesis import strategies as st

START = 1_767_225_600.0


@pytest.mark.parametrize(
    "valid", ["1M8GDM9AXKP042788", "11111111111111111", "1N4AL21E08N529714", "2G4WY52M0W1425355"]
)
def test_known_vins_are_valid(valid):
    assert vin.is_valid(valid)
    assert not vin.is_valid(valid[:8] + ("0" if valid[8] != "0" else "1") + valid[9:])


@given(st.integers(0, 10**6), st.integers(1, 300))
@settings(max_examples=20)
def test_a_fleet_has_distinct_valid_vins(seed, count):
    vins = vin.fleet(count, seed)
    assert len(set(vins)) == count
    assert all(vin.is_valid(each) for each in vins)
    assert vin.fleet(count + 5, seed)[:count] == vins


def test_a_wrong_digit_breaks_a_vin_unless_its_weight_hides_it():
    good = "1M8GDM9AXKP042788"
    for place, letter in itertools.product(range(17), "0123456789"):
        if place == 8:
            continue
        changed = good[:place] + letter + good[place + 1 :]
        difference = (vin.VALUES[letter] - vin.VALUES[good[place]]) * vin.WEIGHTS[place]
        assert vin.is_valid(changed) == (difference % 11 == 0)


@pytest.mark.parametrize("invalid", ["", "1M8GDM9AXKP04278", "1M8GDM9AXKP0427888", "IM8GDM9AXKP042788"])
def test_what_is_no_vin(invalid):
    assert not vin.is_valid(invalid)


def test_no_road_crosses_a_great_lake():
    roads = network()
    joined = {frozenset((roads.names[road.start], roads.names[road.end])) for road in roads.roads}
    assert frozenset(("Milwaukee, WI", "Chicago, IL")) in joined
    assert frozenset(("Milwaukee, WI", "Grand Rapids, MI")) not in joined
    assert frozenset(("Port Huron, MI", "Erie, PA")) not in joined


def test_roads_are_the_same_in_every_process():
    code = (
        "import hashlib; from fleetflow_simulate.roads import routes; "
        "print(hashlib.sha256(b''.join(route.tobytes() for route in routes())).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    own = hashlib.sha256(b"".join(route.tobytes() for route in routes())).hexdigest()
    assert digests == {own + "\n"}


def test_every_city_is_reached_by_roads():
    roads = network()
    seen, todo = {0}, [0]
    while todo:
        for road, forward in roads.at[todo.pop()]:
            city = roads.roads[road].end if forward else roads.roads[road].start
            if city not in seen:
                seen.add(city)
                todo.append(city)
    assert len(seen) == len(roads.names)
    assert len(routes()) == len(roads.roads)


@given(st.lists(st.floats(1, 40_000), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_any_portions_give_the_same_pings(cuts):
    bounds = [0.0, *sorted(cuts), 40_000.0]
    fleet = Fleet(4, 7, START, fault_rate=2.0)
    portions = [ping for since, until in itertools.pairwise(bounds) for ping in fleet.pings(since, until)]
    assert portions == Fleet(4, 7, START, fault_rate=2.0).pings(0.0, 40_000.0)
    assert len(portions) == len({(ping.vin, ping.time) for ping in portions})


def test_speeds_are_plausible_and_trucks_do_drive():
    for track in Fleet(20, 3, START).tracks(0, 86_400):
        km = distance_km(track.latitude[:-1], track.longitude[:-1], track.latitude[1:], track.longitude[1:])
        speed_kmh = km / np.diff(track.time) * 3600
        assert speed_kmh.max() < 125
        assert np.median(speed_kmh[speed_kmh > 5]) > 70
        assert len(set(np.round(speed_kmh, 1).tolist())) > 20
        assert km.sum() > 300


def test_one_by_one_is_the_same_as_all_at_once():
    fleet = Fleet(5, 11, START, fault_rate=3.0)
    single = [ping for second in range(3000) for ping in fleet.pings(second, second + 1)]
    assert single == Fleet(5, 11, START, fault_rate=3.0).pings(0, 3000)
    assert len(single) == 500


def test_vehicles_do_not_report_all_at_once():
    assert len({ping.time for ping in Fleet(10, 1, START).pings(0, 30)}) == 10


def test_after_a_crash_a_truck_stands_still():
    crashed = 0
    for track in Fleet(30, 5, START, fault_rate=20.0).tracks(0, 86_400):
        hit = np.array([CRASH_CODE in codes for codes in track.obd_codes])
        if hit.any():
            crashed += 1
            assert hit[hit.argmax() :].all()
            assert len(set(track.latitude[hit].tolist())) == 1
    assert crashed


def test_codes_appear_and_clear():
    import random

    moments = [float(second) for second in range(0, 200_000, 60)]
    codes = FaultHistory(random.Random(1), 0.5).codes(moments)
    assert () in codes
    assert any(codes)
    first = next(index for index, each in enumerate(codes) if each)
    assert codes[first][0] not in codes[-1] or len(codes[-1]) > 0
    assert any(earlier and not later for earlier, later in itertools.pairwise(codes))
