"""Who enters and who leaves: tables of what is obvious, and anything compared with a slow reference."""

import importlib.util
import itertools
import pickle
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = importlib.util.spec_from_file_location("areas_kit", Path(__file__).with_name("areas_kit.py"))
kit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kit)

DEPOT = kit.rectangle("depot", 10, 50, 12, 52, name="Depot North")
INNER = kit.circle("inner", 11, 51, 20_000)
YARD = kit.polygon("yard", (20, 50), (22, 50), (21, 52))
OUT, IN_DEPOT, IN_BOTH, IN_YARD = (0, 0.5), (50.1, 10.1), (51, 11), (51, 21)


def events_of(path, pings, cuts=(), through_state=False):
    detector = kit.detector(path)
    shard, events = detector.open(None), []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(pings)]):
        if begin < end:
            events += shard.on_pings(kit.frame(pings[begin:end]))
        if through_state:
            shard = detector.open(pickle.loads(pickle.dumps(shard.snapshot())))
    return events


@pytest.fixture
def areas(tmp_path):
    return kit.write(tmp_path / "areas.geojson", DEPOT, INNER, YARD)


RULE = {
    "never in one": ([(1, OUT), (2, OUT)], []),
    "first ping inside": ([(1, IN_DEPOT)], ["1 entered depot"]),
    "in and out": ([(1, OUT), (2, IN_DEPOT), (3, OUT)], ["2 entered depot", "3 left depot"]),
    "staying tells once": ([(1, IN_DEPOT), (2, IN_DEPOT), (3, IN_DEPOT)], ["1 entered depot"]),
    "overlapping": (
        [(1, IN_DEPOT), (2, IN_BOTH), (3, OUT)],
        ["1 entered depot", "2 entered inner", "3 left depot", "3 left inner"],
    ),
    "from one to the other": (
        [(1, IN_DEPOT), (2, IN_YARD)],
        ["1 entered depot", "2 left depot", "2 entered yard"],
    ),
    "late": ([(5, IN_DEPOT), (3, OUT), (4, IN_YARD)], ["5 entered depot"]),
    "repeated": ([(5, IN_DEPOT), (5, OUT), (6, IN_DEPOT)], ["5 entered depot"]),
    "again": ([(1, IN_YARD), (2, OUT), (3, IN_YARD)], ["1 entered yard", "2 left yard", "3 entered yard"]),
}


@pytest.mark.parametrize(("pings", "expected"), RULE.values(), ids=RULE)
def test_rule(areas, pings, expected):
    events = events_of(areas, [("A", time, *position) for time, position in pings])
    assert [f"{event.time:g} {event.kind} {event.data['area']}" for event in events] == expected


def test_event_tells_vehicle_area_and_cause(areas):
    entered, left = events_of(areas, [("A", 1, *IN_DEPOT), ("A", 2, *OUT)])
    assert entered.message == "A entered Depot North"
    assert entered.data == {"area": "depot", "name": "Depot North"}
    assert entered.ping == {"vin": "A", "latitude": 50.1, "longitude": 10.1, "time": 1}
    assert (entered.severity, entered.update, left.update) == ("info", {"areas": ["depot"]}, {"areas": None})


def test_unusable_pings_cross_nothing(areas):
    odd = [
        ("A", float("nan"), *IN_DEPOT),
        ("A", 1, float("nan"), 10),
        ("A", -1, *IN_DEPOT),
        ("A", 1e300, *IN_DEPOT),
    ]
    assert events_of(areas, odd) == []
    assert [event.time for event in events_of(areas, [*odd, ("A", 7, *IN_DEPOT)])] == [7]


def test_state_is_plain_and_has_a_version(areas):
    shard = kit.detector(areas).open(None)
    shard.on_pings(kit.frame([("A", 1, *IN_BOTH), ("B", 1, *OUT)]))
    state = shard.snapshot()
    assert state["v"] == 1
    assert state["areas"] == [("depot", "Depot North"), ("inner", "inner")]
    assert {type(value) for value in state.values()} == {int, list, bytes}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_areas_change_while_the_job_runs(areas, caplog):
    caplog.set_level("WARNING", "fleetflow_areas")
    clock = Clock()
    shard = kit.detector(areas, clock=clock).open(None)

    def crossings(*pings):
        clock.now += 1
        return [(event.kind, event.data["area"]) for event in shard.on_pings(kit.frame(pings))]

    assert crossings(("A", 1, *IN_DEPOT), ("B", 1, *OUT)) == [("entered", "depot")]
    kit.write(areas, YARD, kit.rectangle("new", 9, 49, 13, 53))
    assert crossings(("A", 2, *IN_DEPOT), ("B", 2, *OUT)) == [("left", "depot"), ("entered", "new")]
    areas.write_text("{")
    assert crossings(("B", 3, *IN_YARD)) == [("entered", "yard")]
    assert crossings(("B", 4, *OUT)) == [("left", "yard")]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "not JSON" in caplog.text
    assert "the areas stay as they were" in caplog.text
    areas.unlink()
    assert crossings(("B", 5, *IN_YARD)) == [("entered", "yard")]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    kit.write(areas, DEPOT)
    assert crossings(("A", 6, *IN_DEPOT), ("B", 6, *IN_YARD)) == [
        ("left", "new"),
        ("entered", "depot"),
        ("left", "yard"),
    ]


def test_file_is_looked_at_once_per_second_at_most(areas, monkeypatch):
    clock, looks, stat = Clock(), [], Path.stat

    def counted(path, **options):
        looks.append(path)
        return stat(path, **options)

    shard = kit.detector(areas, clock=clock).open(None)
    monkeypatch.setattr(Path, "stat", counted)
    for step in range(40):
        clock.now += 0.25
        shard.on_pings(kit.frame([("A", step, *OUT)]))
    assert looks == [areas] * 10


def test_a_removed_area_is_left_after_a_resume(areas):
    shard = kit.detector(areas).open(None)
    shard.on_pings(kit.frame([("A", 1, *IN_BOTH)]))
    state = shard.snapshot()
    kit.write(areas, YARD, DEPOT)
    (event,) = kit.detector(areas).open(state).on_pings(kit.frame([("A", 2, *IN_BOTH)]))
    assert (event.kind, event.data["area"], event.update) == ("left", "inner", {"areas": ["depot"]})


def test_no_area_at_all(tmp_path):
    path = kit.write(tmp_path / "none.geojson")
    assert events_of(path, [("A", 1, *OUT)]) == []


degrees = st.integers(-4, 4)


@st.composite
def features(draw):
    found = []
    for number in range(draw(st.integers(0, 6))):
        kind, x, y = draw(st.sampled_from("rtc")), draw(degrees), draw(degrees)
        if kind == "r":
            found.append(
                kit.rectangle(f"a{number}", x, y, x + draw(st.integers(1, 5)), y + draw(st.integers(1, 5)))
            )
        elif kind == "t":
            found.append(
                kit.polygon(
                    f"a{number}", (x, y), (x + draw(st.integers(1, 5)), y), (x, y + draw(st.integers(1, 5)))
                )
            )
        else:
            found.append(kit.circle(f"a{number}", x, y, draw(st.sampled_from([1000, 150_000.5, 500_000]))))
    return found


pings = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 30), degrees, degrees), max_size=60)


@settings(max_examples=100, deadline=None)
@given(features(), pings, st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_any_pings_in_any_batches_give_the_events_of_the_reference(features, pings, cuts, through_state):
    with tempfile.TemporaryDirectory() as folder:
        path = kit.write(Path(folder) / "areas.geojson", *features)
        events = events_of(path, pings, [min(cut, len(pings)) for cut in cuts], through_state)
    found = [(e.vin, e.time, e.kind, e.data["area"], tuple(e.update["areas"] or ())) for e in events]
    assert sorted(found) == sorted(kit.reference(pings, features))
    assert len({event.id for event in events}) == len(events)
