"""Who is speeding: tables of what is obvious, and anything compared with a slow reference."""

import importlib.util
import itertools
import pickle
import random
from pathlib import Path

import polars as pl
import pytest
from fleetflow_speed.detector import SpeedDetector
from fleetflow_speed.settings import SpeedSettings
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

SPEC = importlib.util.spec_from_file_location(
    "speed_reference", Path(__file__).with_name("speed_reference.py")
)
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

METRES_PER_DEGREE = kit.RADIUS_M * 3.141592653589793 / 180


def frame(pings):
    return pl.DataFrame(
        {
            "vin": [p[0] for p in pings],
            "latitude": [p[2] for p in pings],
            "longitude": [p[3] for p in pings],
            "time": [p[1] for p in pings],
            "sequence": range(len(pings)),
            "source": ["alpha"] * len(pings),
            "received_at": [1.0] * len(pings),
        },
        schema_overrides={"time": pl.Float64, "latitude": pl.Float64, "longitude": pl.Float64},
    )


def drive(*legs, vin="A", start=1_000_000_000.0, every_s=10):
    """Pings of a vehicle that drives north, `legs` of (km/h, seconds)."""
    time, latitude, pings = start, 10.0, [("A", start, 10.0, 20.0)]
    for kmh, seconds in legs:
        for _ in range(round(seconds / every_s)):
            time += every_s
            latitude += kmh / 3.6 * every_s / METRES_PER_DEGREE
            pings.append((vin, time, latitude, 20.0))
    return pings


def events_of(pings, settings=None, cuts=(), through_state=False):
    settings = settings or SpeedSettings()
    detector = SpeedDetector(settings)
    shard, events = detector.open(None), []
    borders = [0, *sorted(cuts), len(pings)]
    for begin, end in itertools.pairwise(borders):
        if begin < end:
            events += shard.on_pings(frame(pings[begin:end]))
        if through_state:
            shard = detector.open(pickle.loads(pickle.dumps(shard.snapshot())))
    return events


def kinds(*args, **options):
    return [event.kind for event in events_of(*args, **options)]


BEGIN, END = "speeding", "speeding_ended"
RULE = {
    "stands": ([(0, 900)], []),
    "at the limit is not above it": ([(112.9, 900)], []),
    "above the limit": ([(115, 900)], [BEGIN]),
    "a burst shorter than the window is averaged": ([(60, 600), (140, 60), (60, 600)], []),
    "falls into the hysteresis and stays speeding": ([(120, 600), (110, 900)], [BEGIN]),
    "falls below the hysteresis": ([(120, 600), (107, 900)], [BEGIN, END]),
    "from the hysteresis upwards it was never speeding": ([(110, 900)], []),
    "twice": ([(120, 600), (50, 600), (130, 600)], [BEGIN, END, BEGIN]),
}


@pytest.mark.parametrize(("legs", "expected"), RULE.values(), ids=RULE)
def test_rule(legs, expected):
    assert kinds(drive(*legs)) == expected


def test_event_tells_vehicle_speed_and_cause():
    (event,) = events_of(drive((130, 900)))
    assert (event.vin, event.severity) == ("A", "warning")
    assert event.data == {
        "speed_kmh": 130.0,
        "limit_kmh": 113.0,
        "window_s": 240.0,
        "window_end": event.data["window_end"],
    }
    assert event.data["window_end"] - 15 < event.time <= event.data["window_end"]
    assert event.ping["time"] == event.time
    assert event.message == "A drives 130 km/h (limit 113 km/h)"


def test_end_removes_what_the_begin_set():
    begin, end = events_of(drive((130, 900), (0, 900)))
    assert begin.update == {"speeding": True, "speed_kmh": 130.0, "status": "SPEEDING", "note": "130 km/h"}
    assert end.update == dict.fromkeys(begin.update)


def test_status_of_other_plugins_is_left_alone():
    begin, end = events_of(drive((130, 900), (0, 900)))
    assert begin.only_if == {"status": [None, "SPEEDING"], "note": []}
    assert end.only_if == {"status": ["SPEEDING"], "note": []}
    for event in events_of(drive((130, 900), (0, 900)), SpeedSettings(set_status=False)):
        assert event.update.keys() == {"speeding", "speed_kmh"}
        assert event.only_if == {}


def test_one_ping_in_a_window_tells_nothing():
    assert kinds(drive((130, 7200), every_s=300)) == []


def test_too_short_a_span_tells_nothing():
    assert kinds([*drive((200, 50)), ("A", 1_000_000_900.0, 10.0, 20.0)]) == []


def test_a_gap_ends_nothing_until_pings_tell():
    fast = drive((130, 600))
    vin, time, latitude, longitude = fast[-1]
    rest = [(vin, time + 7200 + 10 * i, latitude, longitude) for i in range(30)]
    assert kinds([*fast, rest[0]]) == [BEGIN]
    assert kinds([*fast, *rest]) == [BEGIN, END]


@pytest.mark.parametrize(("lateness_s", "told_at_s"), [(0, 70), (60, 130), (90, 160)])
def test_a_window_waits_for_lateness(lateness_s, told_at_s):
    # windows end at 5, 20, 35, 50 and 65 s after the first ping; the last is the first to span 60 s
    pings = drive((130, 200))
    settings = SpeedSettings(lateness_s=lateness_s)
    told = [len(events_of(pings[:count], settings)) for count in range(1, len(pings) + 1)]
    assert pings[told.index(1)][1] - pings[0][1] == told_at_s


def test_two_positions_at_one_time_count_once():
    pings = drive((60, 600))
    doubled = [twin for ping in pings for twin in (ping, (*ping[:2], ping[2] - 0.01, ping[3]))]
    assert kinds(doubled) == []


def test_a_time_that_is_no_time_is_left_out():
    pings = drive((130, 900))
    odd = [("A", bad, 1.0, 1.0) for bad in (float("nan"), float("inf"), -5.0, 1e300)]
    assert kinds([*odd, *pings]) == [BEGIN]
    assert kinds(odd) == []


@pytest.mark.parametrize(
    "wrong", [{"window_s": 100}, {"min_span_s": 500}, {"hysteresis_kmh": 113}, {"slide_s": 0}]
)
def test_settings_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must|greater"):
        SpeedSettings(**wrong)


def test_state_is_plain_and_has_a_version():
    shard = SpeedDetector(SpeedSettings()).open(None)
    shard.on_pings(frame(drive((130, 900))))
    state = shard.snapshot()
    assert state["v"] == 1
    assert {type(value) for value in state.values()} == {int, bytes}


def test_another_slide_goes_on_from_the_stored_state():
    pings = drive((130, 900))
    shard = SpeedDetector(SpeedSettings()).open(None)
    assert [event.kind for event in shard.on_pings(frame(pings[:60]))] == [BEGIN]
    resumed = SpeedDetector(SpeedSettings(slide_s=30)).open(shard.snapshot())
    assert resumed.on_pings(frame(pings[60:])) == []


CALM, FAST = (60, 1800), (130, 300)


@pytest.mark.parametrize("batch", [1, 7, 50, 10_000])
@pytest.mark.parametrize("through_state", [False, True])
@pytest.mark.parametrize(
    "legs",
    [(CALM, FAST, CALM), (FAST, CALM, FAST), (CALM, (112, 600), (114, 600), CALM), (CALM, (130, 100), CALM)],
)
def test_long_calm_stretches_that_are_not_evaluated_change_nothing(legs, through_state, batch):
    pings, settings = drive(*legs), SpeedSettings()
    events = events_of(pings, settings, range(batch, len(pings), batch), through_state)
    assert [(e.vin, e.time, e.kind) for e in events] == kit.reference(pings, settings)
    speeds = [e.data["speed_kmh"] for e in events_of(pings, settings, range(1, len(pings)))]
    assert [e.data["speed_kmh"] for e in events] == speeds


SETTINGS = [
    SpeedSettings(),
    SpeedSettings(lateness_s=0),
    SpeedSettings(window_s=60, slide_s=20, min_span_s=10, lateness_s=35, hysteresis_kmh=0, limit_kmh=50),
    SpeedSettings(window_s=7, slide_s=1, min_span_s=1, lateness_s=2),
]


@st.composite
def journeys(draw):
    """Vehicles with legs of any speed and pace, shuffled a little or wholly, with repeats and losses."""
    seed = draw(st.integers(0, 2**32))
    chance = random.Random(seed)
    pings = []
    for vin in "AB"[: draw(st.integers(1, 2))]:
        legs = draw(
            st.lists(
                st.tuples(st.sampled_from([0, 45, 52, 109, 112, 115, 150]), st.integers(20, 500)),
                min_size=1,
                max_size=5,
            )
        )
        pace = draw(st.sampled_from([0.25, 5, 10, 37, 120]))
        time, latitude = draw(st.sampled_from([0.0, 3.125, 1_000_000_000.5])), 10.0
        for kmh, seconds in legs:
            for _ in range(min(60, int(seconds / pace) + 1)):
                pings.append((vin, time, round(latitude, 6), 20.0))
                time += pace
                latitude += kmh / 3.6 * pace / METRES_PER_DEGREE
    disorder = draw(st.sampled_from([0, 3, 30, 1000]))
    order = sorted(range(len(pings)), key=lambda i: i + chance.uniform(0, disorder))
    pings = [pings[i] for i in order if chance.random() > draw(st.just(0.05))]
    repeats = draw(st.integers(0, 10))
    for _ in range(repeats if pings else 0):
        twin = chance.choice(pings)
        if chance.random() < 0.3:
            twin = (*twin[:2], twin[2] + 0.001, twin[3])
        pings.insert(chance.randrange(len(pings) + 1), twin)
    cuts = [chance.randrange(len(pings) + 1) for _ in range(draw(st.integers(0, 12)))]
    return pings, cuts


@hypothesis_settings(max_examples=80, deadline=None)
@given(journeys(), st.sampled_from(SETTINGS), st.booleans())
@example((drive((130, 600), (0, 600)), range(125)), SETTINGS[0], True)
def test_any_pings_in_any_batches_give_the_events_of_the_reference(journey, settings, through_state):
    pings, cuts = journey
    events = events_of(pings, settings, cuts, through_state)
    assert sorted((e.vin, e.time, e.kind) for e in events) == sorted(kit.reference(pings, settings))
    assert len({event.id for event in events}) == len(events)
