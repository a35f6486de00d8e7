"""The detector in a real job, killed and rescaled, and on real bus days."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from fleetflow_speed.odometer import Odometer, Track, vehicle_key
from fleetflow_speed.settings import SpeedSettings

from fleetflow.testing.buses import as_alpha, valid
from fleetflow.testing.home import Home

SPEC = importlib.util.spec_from_file_location(
    "speed_reference", Path(__file__).with_name("speed_reference.py")
)
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

LIMIT = SpeedSettings(
    limit_kmh=32,
    hysteresis_kmh=10,
    window_s=300,
    slide_s=60,
    lateness_s=120,
    reject_jumps=True,
    # hardly a jump, so that there are some
    jump_kmh=50,
)


def test_kill_and_rescale_in_the_middle_of_real_bus_days_give_the_events_of_the_reference(tmp_path, bus_days):
    pings = valid(bus_days)
    good = kit.plausible(pings, LIMIT.jump_kmh, LIMIT.jump_confirm)
    expected = kit.reference(list(itertools.compress(pings, good)), LIMIT)
    assert len(expected) > 100, "or little is shown"
    assert {kind for _, _, kind in expected} == {"speeding", "speeding_ended"}
    home = Home(tmp_path, on=["speed"], speed=LIMIT.model_dump())
    home.killed_and_rescaled(as_alpha(bus_days))
    events = home.events().values()
    assert sorted((e["vin"], e["time"], e["kind"]) for e in events) == sorted(expected)
    jumps = [ping for ping, plausible in zip(pings, good, strict=True) if not plausible]
    assert len(jumps) > 10, "or little is shown"
    rejects = home.rows("quarantine", "list", "--rule", "position_jump", "--limit", "100000")
    assert sorted(row["resource"] for row in rejects) == sorted(f"{vin}.csv" for vin, *_ in jumps)
    assert home.account()["read"] == len(bus_days)
    last = {vin: kind for vin, _, kind in sorted(expected)}
    marked = {row["vin"] for row in home.rows("vehicles", "list") if row.get("speeding")}
    assert marked == {vin for vin, kind in last.items() if kind == "speeding"}


# km/h per unit of the column: the second day is not in miles/h but in metres/s, its speeds are whole
# multiples of 0.44704 (one mile/h)
DAYS = {"2015-03-18": (1.609344, 1200, 0.55, 8.0), "2016-05-30": (3.6, 600, 0.7, 5.0)}


@pytest.mark.parametrize("day", DAYS)
def test_computed_speeds_agree_with_those_that_the_buses_report(bus_days, day):
    """Reports are of one moment, every 2 to 10 minutes: their mean over a window is what can be compared."""
    kmh, window_s, correlation, error_kmh = DAYS[day]
    fixes = {}
    for row in bus_days:
        if row.day == day and row.place and row.speed:
            fixes[row.bus, round(row.time * 1000)] = (*row.place, float(row.speed) * kmh)
    keys = sorted(fixes)
    buses = {bus: number for number, bus in enumerate(dict.fromkeys(bus for bus, _ in keys))}
    vehicle = np.array([buses[bus] for bus, _ in keys])
    time = np.array([when for _, when in keys])
    latitude, longitude, reported = np.array([fixes[key] for key in keys]).T
    odometer = Odometer(window_s // 60, 60_000, window_s * 500, 113.0)
    odometer.fit(len(buses))
    first, closed = (np.searchsorted(vehicle, np.arange(len(buses)), side) for side in ("left", "right"))
    key = vehicle_key(vehicle, time)
    track = Track(np.arange(len(buses)), first, closed, key, time, latitude, longitude)
    windows = odometer.drive(track, asked=np.ones(len(buses), np.bool_))
    told = np.flatnonzero(~np.isnan(windows.speed_kmh))
    assert len(told) > 2000
    means = []
    for number in told:
        end = windows.slot[number] * 60_000
        since = np.searchsorted(
            vehicle * 2**43 + time, windows.vehicle[number] * 2**43 + end - window_s * 1000, "right"
        )
        means.append(reported[since : windows.last[number] + 1].mean())
    computed = windows.speed_kmh[told]
    found = np.corrcoef(computed, means)[0, 1], np.median(np.abs(computed - means))
    print(f"{day}: {len(told)} windows, correlation {found[0]:.2f}, median error {found[1]:.1f} km/h")
    assert found[0] > correlation
    assert found[1] < error_kmh


def test_a_vehicle_whose_newest_ping_is_a_jump_passes_an_audit(tmp_path):
    home = Home(tmp_path, on=["speed"], speed={"reject_jumps": True})
    home.write({"A.csv": [f"A,1.0{number},20,{1_700_000_000 + 60 * number}\n" for number in range(5)]})
    home.write({"A.csv": ["A,80,20,1700000300\n"]})
    home.once()
    assert home.account() == {"read": 6, "applied": 1, "superseded": 4, "quarantined": 1}
    (certificate,) = home.rows("audit", "--verify")
    assert certificate["verification"]["problems"] == []
