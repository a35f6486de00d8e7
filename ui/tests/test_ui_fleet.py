"""The fleet's columns: what is kept of changes, and what it costs."""

import gc
import json
import math
import threading
import time
import weakref

import numpy as np
import pytest
from fleetflow_ui.fleet import Fleet
from fleetflow_ui.geo import View, around, centred, degrees, mercator
from fleetflow_ui.rows import Rows, column, record_of, value
from fleetflow_ui.snapshot import AT_ONCE, FleetReader
from fleetflow_ui.status import CRASHED, NORMAL, OTHER
from fleetflow_ui.trails import Trails
from hypothesis import given
from hypothesis import strategies as st

from fleetflow.errors import StoreError


def record(vin, latitude=35.0, longitude=-95.0, moment=1000.0, **more):
    return {
        "vin": vin,
        "latitude": latitude,
        "longitude": longitude,
        "time": moment,
        "source": "alpha",
        **more,
    }


def test_mercator_agrees_with_known_corners_and_comes_back():
    x, y = mercator([0.0, 85.0511287798], [0.0, 180.0])
    assert x == pytest.approx([0.0, 20_037_508.34], abs=1)
    assert y == pytest.approx([0.0, 20_037_508.34], rel=1e-4, abs=1)
    assert degrees(*mercator(38.9, -77.0)) == pytest.approx((38.9, -77.0))


def test_a_vehicle_keeps_its_slot_and_only_changed_ones_move():
    fleet = Fleet()
    fleet.take([record("A"), record("B", 40.0)])
    before = fleet.y[:2].copy()
    fleet.take([record("A", 36.0, moment=1060.0)])
    assert fleet.vins == ["A", "B"]
    assert fleet.slot("B") == 1
    assert fleet.y[0] > before[0]
    assert fleet.y[1] == before[1]
    assert fleet.version == 2


@pytest.mark.parametrize(
    ("latitude", "longitude", "heading_deg"),
    [(36.0, -95.0, 0), (35.0, -94.0, 90), (34.0, -95.0, 180), (35.0, -96.0, -90)],
)
def test_heading_is_from_the_last_two_positions(latitude, longitude, heading_deg):
    fleet = Fleet()
    fleet.take([record("A")])
    assert math.isnan(fleet.heading_rad[0])
    fleet.take([record("A", latitude, longitude, 1060.0)])
    assert math.degrees(fleet.heading_rad[0]) == pytest.approx(heading_deg, abs=0.5)


def test_speed_is_from_way_and_time_and_a_standing_vehicle_keeps_its_heading():
    fleet = Fleet()
    fleet.take([record("A", 35.0)])
    fleet.take([record("A", 36.0, moment=4600.0)])
    # one degree of latitude on a sphere of 6,378 km in an hour; Mercator at the new end is 0.6 % longer
    assert fleet.speed_kmh[0] == pytest.approx(111.3, rel=0.01)
    heading = fleet.heading_rad[0]
    fleet.take([record("A", 36.0, moment=4660.0)])
    assert fleet.speed_kmh[0] < 1
    assert fleet.heading_rad[0] == heading


def test_counts_follow_status_source_and_codes_as_they_change():
    fleet = Fleet()
    fleet.take(
        [
            record("A", obd_codes=["P0171", "P0300"]),
            record("B", status="CRASHED", obd_codes=["P0171"]),
            record("C", status="STOLEN", source="beta", moment=5000.0),
        ]
    )
    counts = fleet.counts(5001.0, 300.0)
    assert counts.statuses == (1, 1, 1, 0)
    assert [int(s) for s in fleet.status[:3]] == [NORMAL, CRASHED, OTHER]
    assert counts.stale == 2
    assert counts.sources == {"alpha": 2, "beta": 1}
    assert counts.codes == {"P0171": 2, "P0300": 1}
    fleet.take([record("A", obd_codes=[]), record("B", status=None, obd_codes=["U0100"])])
    counts = fleet.counts(5001.0, 300.0)
    assert counts.statuses == (2, 0, 1, 0)
    assert counts.codes == {"U0100": 1}


def test_columns_grow_without_losing_what_they_hold():
    fleet = Fleet()
    fleet.take([record("first", 36.5, -90.0)])
    fleet.take([record("first", 37.0, -90.0, 1060.0)])
    trail = fleet.trail(0)
    kept = fleet.x[0], fleet.y[0], fleet.heading_rad[0]
    fleet.take([record(f"V{i:05}") for i in range(20_000)])
    assert (fleet.x[0], fleet.y[0], fleet.heading_rad[0]) == kept
    assert np.array_equal(fleet.trail(0), trail)
    assert len(fleet) == 20_001


def test_records_without_a_position_or_with_odd_fields_are_kept_and_not_drawn():
    fleet = Fleet()
    fleet.take([{"vin": "A"}, record("B", obd_codes="P0171", status=7, latitude=None)])
    assert len(fleet) == 2
    assert not View(-1e9, -1e9, 1e9, 1e9, 100, 100).holds(fleet.x[:2], fleet.y[:2]).any()
    assert fleet.codes(1) == ()


def test_a_look_costs_what_changed_and_not_what_there_is():
    fleet = Fleet()
    fleet.take([record(f"V{i:06}") for i in range(100_000)])

    def cost(number):
        changed = [record(f"V{i:06}", 36.0, moment=2000.0) for i in range(number)]
        started = time.process_time()
        fleet.take(changed)
        return time.process_time() - started

    cost(10)
    # a hundred of 100,000 vehicles must be far cheaper than a fifth of them; the factor is 200 in truth
    assert min(cost(100) for _ in range(3)) * 4 < cost(20_000)


def test_search_finds_beginnings_then_ends_and_never_more_than_asked_for():
    fleet = Fleet()
    fleet.take([record(f"1FLT{i:05}") for i in range(1000)] + [record("XX1FLT"), record("<b>VIN</b>")])
    assert fleet.search("1flt0000") == [f"1FLT{i:05}" for i in range(8)]
    assert fleet.search("999") == ["1FLT00999"]
    assert fleet.search("<b") == ["<b>VIN</b>"]
    assert fleet.search("  ") == []
    assert fleet.search("nothing") == []


@given(st.lists(st.floats(0, 100, width=32), max_size=600), st.integers(0, 600))
def test_a_trail_is_the_newest_positions_whatever_happens_to_the_capacity(values, grown_after):
    trails = Trails(200_000)
    row = np.array([7])
    moved = []
    for index, each in enumerate(values[:40]):
        if index == grown_after:
            trails.grow(400_000)
        trails.add(row, np.array([each], np.float32), np.array([0], np.float32))
        if not moved or moved[-1] != np.float32(each):
            moved.append(np.float32(each))
    x, _ = trails.of(7)
    assert len(x) <= 10
    assert list(x) == moved[len(moved) - len(x) :]
    assert len(x) >= min(len(moved), 5)


def test_a_fit_shows_every_point_beside_what_covers_the_map():
    x, y = mercator(np.array([30.0, 45.0]), np.array([-104.0, -80.0]))
    view = around(x, y, 1200, 800, (340, 0))
    assert view.holds(x, y).all()
    left_px = (x.min() - view.west) / view.metres_per_px
    assert left_px > 340
    assert around(np.array([np.nan]), np.array([np.nan]), 100, 100) is None
    one = around(x[:1], y[:1], 1200, 800)
    assert one.zoom == pytest.approx(12)


def test_a_view_knows_its_zoom():
    assert centred(0, 0, 6.5, 1000, 500).zoom == pytest.approx(6.5)


def test_what_cannot_be_read_is_told_and_the_last_state_stays(vehicles):
    reader = FleetReader(lambda: vehicles, 1.0)
    vehicles.changes.append([record("A")])
    reader.look(vehicles)
    reader.fleet.say("layout 9")
    assert (reader.fleet.problem, len(reader.fleet)) == ("layout 9", 1)
    reader.look(vehicles)
    assert reader.fleet.problem == ""


def test_a_map_that_was_deleted_or_replaced_is_read_anew(vehicles):
    reader = FleetReader(lambda: vehicles, 1.0)
    assert not reader.fleet.whole
    vehicles.changes = [[record("A")], [record("B")], [record("C")]]
    reader.look(vehicles)
    assert (reader.fleet.vins, reader.fleet.generation, reader.fleet.whole) == (["A", "B", "C"], 0, True)
    vehicles.changes = []
    reader.look(vehicles)
    assert (reader.fleet.vins, reader.fleet.generation, reader.fleet.whole) == ([], 1, True)
    vehicles.changes = [[record("A")], [record("B")], [record("C")]]
    reader.look(vehicles)
    vehicles.changes = [[record("D")]]
    reader.look(vehicles)
    # a shorter history
    assert (reader.fleet.vins, reader.fleet.generation) == (["D"], 2)
    vehicles.changes = [[record("E")], [record("E")]]
    reader.look(vehicles)
    # a longer history with fewer vehicles than are known
    assert (reader.fleet.vins, reader.fleet.generation) == (["E"], 3)
    assert reader.fleet.slot("D") is None
    assert reader.fleet.search("D") == []


def test_a_map_that_was_replaced_by_a_larger_one_of_the_same_length_is_read_anew(vehicles):
    reader = FleetReader(lambda: vehicles, 1.0)
    vehicles.changes = [[record("A")]]
    reader.look(vehicles)
    vehicles.changes = [[record("X"), record("Y")]]
    # once it may be that they came after the look
    reader.look(vehicles)
    assert reader.fleet.generation == 0
    reader.look(vehicles)
    assert (reader.fleet.vins, reader.fleet.generation) == (["X", "Y"], 1)


def test_vehicles_that_come_while_the_reader_looks_are_no_reason_to_read_all_anew(vehicles):
    reader = FleetReader(lambda: vehicles, 1.0)
    vehicles.count = lambda: len(reader.fleet) + 1
    for number in range(5):
        vehicles.changes.append([record(f"V{number}")])
        reader.look(vehicles)
    assert (len(reader.fleet), reader.fleet.generation) == (5, 0)


def test_the_reader_goes_on_after_a_store_that_failed_to_open(vehicles):
    attempts = []

    def open_map():
        attempts.append(1)
        if len(attempts) < 3:
            raise StoreError("not yet", "wait")
        return vehicles

    vehicles.changes.append([record("A")])
    reader = FleetReader(open_map, 0.01).start()
    deadline = time.monotonic() + 10
    while not len(reader.fleet) and time.monotonic() < deadline:
        time.sleep(0.01)
    reader.stop()
    assert reader.fleet.vins == ["A"]
    assert len(attempts) == 3


def test_records_are_kept_so_that_collections_need_not_look_at_them():
    fleet = Fleet()
    brought = record("A", obd_codes=["P0300", "P0171"], areas=[], status="NORMAL")
    text = json.dumps(brought)
    fleet.take([brought])
    assert json.dumps(fleet.record("A")) == text
    # a tuple is forgotten when those in it have been
    for _ in range(3):
        gc.collect()
    assert not gc.is_tracked(fleet.rows[0])


def test_vehicles_share_what_is_the_same_in_their_records():
    fleet = Fleet()
    texts = [json.dumps(record(vin, status="NORMAL")) for vin in ("A", "B", "A")]
    for text in texts:
        fleet.take([json.loads(text)])
    first, second = fleet.rows
    assert first[0] is second[0]
    assert value(first, "vin") is fleet.vins[0]
    assert [value(first, name) is value(second, name) for name in ("source", "status")] == [True, True]
    assert value(first, "note") is None


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)


@given(st.dictionaries(st.text(max_size=9), plain | st.lists(plain) | st.dictionaries(st.text(), plain)))
def test_a_row_is_the_record_that_it_was_made_of(fields):
    brought = {**fields, "vin": "A"}
    row = Rows().of(brought, "A")
    assert json.dumps(record_of(row)) == json.dumps(brought)
    for name in (*brought, "no such field"):
        assert [value(row, name)] == list(column([row], name)) == [record_of(row).get(name)]


def test_however_much_has_changed_it_is_taken_over_in_parts(vehicles):
    reader = FleetReader(lambda: vehicles, 1.0)
    vehicles.changes += [[record(f"V{i:06}", moment=float(j)) for i in range(1000)] for j in range(10)]
    reader.look(vehicles)
    assert max(vehicles.sizes) == AT_ONCE < 10_000
    assert len(reader.fleet) == 1000
    assert reader.fleet.time[:1000].tolist() == [9.0] * 1000
    assert reader.fleet.whole


def test_the_reader_tells_of_changes_at_once_and_only_whom_anybody_holds(vehicles):
    class Waiting:
        def __init__(self):
            self.woken = threading.Event()

        def wake(self):
            self.woken.set()

    reader = FleetReader(lambda: vehicles, 0.01)
    waiting, gone = Waiting(), Waiting()
    woken, held = gone.woken, weakref.ref(gone)
    reader.tell(waiting)
    reader.tell(gone)
    del gone
    assert held() is None
    reader.start()
    try:
        assert waiting.woken.wait(20)
        waiting.woken.clear()
        vehicles.changes.append([record("A")])
        assert waiting.woken.wait(20)
        assert not woken.is_set()
    finally:
        reader.stop()


def test_a_map_that_fails_in_its_own_way_is_told_and_asked_again(vehicles, caplog):
    failures = [TypeError("no such argument"), TypeError("no such argument")]

    def open_map():
        if failures:
            raise failures.pop()
        return vehicles

    vehicles.changes.append([record("A")])
    reader = FleetReader(open_map, 0.01).start()
    deadline = time.monotonic() + 20
    while not len(reader.fleet) and time.monotonic() < deadline:
        time.sleep(0.01)
    reader.stop()
    assert (reader.fleet.vins, reader.fleet.problem) == (["A"], "")
    # once, with its traceback
    assert [each.exc_info[0] for each in caplog.records] == [TypeError]
