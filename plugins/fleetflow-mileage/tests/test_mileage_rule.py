"""Which legs count, on which day, and when a limit is reached: tables, and any input against a reference."""

import math

import polars as pl
import pytest
from fleetflow_mileage.days import Days, iso
from fleetflow_mileage.detector import MileageDetector
from fleetflow_mileage.limits import Limits
from hypothesis import given, settings
from hypothesis import strategies as st
from mileage_reference import Reference, haversine_m

from fleetflow.motion.travel import Rule

SCHEMA = {"vin": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "time": pl.Float64}
DEGREE_M = haversine_m((0, 0), (1, 0))


class Table:
    """Takes the place of the SQLite table."""

    def __init__(self):
        self.rows = {}

    def put(self, rows):
        self.rows.update({(vin, day): mm for vin, day, mm in rows})


def detector(table, time_zone="UTC", noise_m=15, max_kmh=200, limits=None):
    return MileageDetector(Rule.of(noise_m, max_kmh), time_zone, limits or Limits(0, {}, {}), table)


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def run(rows, sizes=(1000,), resume=(), **options):
    """Return (metres per vehicle and day, events) of `rows` in batches, resumed after some of them."""
    table, events, at, number = Table(), [], 0, 0
    made = detector(table, **options)
    shard = made.open(None)
    while at < len(rows):
        size = sizes[number % len(sizes)]
        events += shard.on_pings(frame(rows[at : at + size]))
        at, number = at + size, number + 1
        if number in resume:
            shard = made.open(shard.snapshot())
    shard.snapshot()
    return {key: mm / 1000 for key, mm in table.rows.items()}, events


def north(metres, time):
    return ("A", metres / DEGREE_M, 0.0, float(time))


@pytest.mark.parametrize(
    ("rows", "metres"),
    [
        pytest.param([north(0, 0)], None, id="one fix is no distance"),
        pytest.param([north(0, 0), north(100, 10)], 100, id="a leg counts"),
        pytest.param([north(0, 0), north(14, 10), north(2, 20), north(14, 30)], None, id="noise does not"),
        pytest.param([north(10 * i, 10 * i) for i in range(11)], 100, id="creeping adds up to what was gone"),
        pytest.param([north(0, 0), north(100, 10), north(0, 20)], 200, id="back counts too"),
        pytest.param(
            [north(0, 0), north(100, 10), north(9e6, 20), north(200, 30), north(300, 40)],
            200,
            id="neither the jump nor the way back counts",
        ),
        pytest.param(
            [north(0, 0), north(9e6, 10), north(9e6 + 100, 20)], 100, id="it goes on where it jumped to"
        ),
        pytest.param(
            [north(0, 0), north(10, 10), north(9e6, 20), north(12, 30), north(24, 40)],
            None,
            id="after a jump noise is measured from there",
        ),
        pytest.param([north(0, 0), north(100, 10), north(50, 5), north(200, 20)], 200, id="late fix"),
        pytest.param([north(0, 0), north(100, 10), north(100, 10), north(200, 10)], 100, id="repeated fix"),
        pytest.param(
            [north(0, 0), ("A", math.nan, 0.0, 5.0), ("A", 95.0, 0.0, 6.0), ("A", 1.0, 0.0, -1.0)],
            None,
            id="unusable fixes",
        ),
        pytest.param([north(0, 0), ("B", 1.0, 1.0, 1.0), north(50, 5)], 50, id="vehicles are apart"),
    ],
)
def test_legs_that_count(rows, metres):
    for sizes in ((1000,), (1,), (2,)):
        found, _ = run(rows, sizes)
        expected = {} if metres is None else {("A", "1970-01-01"): pytest.approx(metres, abs=0.01)}
        assert found == expected, sizes


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", "2026-03-29", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Chicago", "2026-03-08", 23),
        ("America/Chicago", "2026-11-01", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Havana", "2025-11-02", 25),
        ("America/St_Johns", "2010-11-06", 24 + 1 / 60),
    ],
)
def test_day_is_as_long_as_the_clock_makes_it(zone, day, hours):
    """In St. John's the clock was put back one minute after midnight: that minute ends the day before."""
    import datetime

    days = Days(zone)
    number = datetime.date.fromisoformat(day).toordinal()
    start, end = days.start(number), days.start(number + 1)
    if zone != "America/St_Johns":
        assert (end - start) / 3600 == hours
    times = pl.Series([start - 0.001, start, (start + end) / 2, end - 0.001, end]).to_numpy()
    expected = [number - 1, number, number, number, number + 1]
    assert days.of(times).tolist() == expected
    assert [days.of(times[i : i + 1]).tolist() for i in range(5)] == [[day] for day in expected]
    assert iso(number) == day


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/Berlin"])
@pytest.mark.parametrize("start", [1_772_900_000, 1_774_650_000, 1_792_800_000, 1_793_400_000])
def test_distance_starts_again_at_midnight_also_when_clocks_change(zone, start):
    rows = [north(100 * i, start + 600 * i) for i in range(6 * 60)]
    reference = Reference(time_zone=zone, limit_m=9_950)
    for row in rows:
        reference.ping(*row)
    found, events = run(rows, (7, 100), time_zone=zone, limits=Limits(9.95, {}, {}))
    assert found == {key: pytest.approx(metres, abs=0.2) for key, metres in reference.metres.items()}
    assert [(e.vin, e.data["day"], e.time) for e in events] == reference.reached
    assert len(events) >= 2


def test_days_on_which_nothing_was_driven_have_no_distance():
    days = [0, 0, 1, 1, 4, 4, 5, 9]
    rows = [north(100 * i, 86_400 * day + 40_000 + 100 * i) for i, day in enumerate(days)]
    expected = {("A", iso(719_163 + day)): pytest.approx(100.0 * legs) for day, legs in [(0, 1), (9, 1)]}
    expected |= {
        ("A", iso(719_163 + day)): pytest.approx(100.0 * legs) for day, legs in [(1, 2), (4, 2), (5, 1)]
    }
    for sizes in ((1000,), (1,), (3,)):
        assert run(rows, sizes)[0] == expected, sizes


def test_event_tells_what_was_reached():
    limits = Limits(0, {"Ford": 0.25}, {"A": "ford "})
    rows = [north(100 * i, 10 * i) for i in range(10)] + [("B", i / 10, 0.0, 1000.0 * i) for i in range(5)]
    _, events = run(rows, (2,), limits=limits)
    (event,) = events
    assert (event.id, event.kind, event.severity) == ("mileage:A:1970-01-01", "mileage", "warning")
    assert event.message == "A reached its daily limit of 0.25 km on 1970-01-01"
    assert event.data == {"day": "1970-01-01", "km": 0.3, "limit_km": 0.25, "group": "ford "}
    assert event.update == {"mileage_day": "1970-01-01", "mileage_km": 0.3}
    assert event.ping["time"] == event.time == 30.0


fix = st.tuples(
    st.sampled_from("ABC"),
    st.integers(0, 40).map(lambda step: step * 4.7e-5),
    st.sampled_from([0.0, 0.0, 0.0, 0.0011, 0.5]),
    st.tuples(st.integers(0, 400), st.sampled_from([0, 0, 1, 4])).map(
        lambda step: 86_000.0 + step[0] * 7 + step[1] * 86_400
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(fix, min_size=1, max_size=120),
    st.booleans(),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sets(st.integers(1, 10)),
)
def test_any_input_in_any_batches_ends_as_in_the_reference(rows, in_order, sizes, resume):
    """Shuffled, repeated and late pings with jumps and noise; resumed from snapshots in between."""
    if in_order:
        rows = sorted(rows, key=lambda row: row[3])
    reference = Reference(limit_m=333.3)
    for row in rows:
        reference.ping(*row)
    found, events = run(rows, sizes, resume, limits=Limits(0.3333, {}, {}))
    assert found == {key: pytest.approx(metres, abs=0.1) for key, metres in reference.metres.items()}
    assert sorted((e.vin, e.data["day"], e.time) for e in events) == sorted(reference.reached)
    assert found == run(rows, limits=Limits(0.3333, {}, {}))[0], "batches change not one millimetre"
