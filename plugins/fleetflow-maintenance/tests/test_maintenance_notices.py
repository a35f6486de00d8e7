"""Notices and the vehicles they affect: the join, the files, and the live rule."""

import gc
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import polars as pl
import pytest
from fleetflow_maintenance import plugin
from fleetflow_maintenance import watch as watching
from fleetflow_maintenance.errors import RegisterError
from fleetflow_maintenance.matching import match, notice_event
from fleetflow_maintenance.notices import SCHEMA as NOTICES
from fleetflow_maintenance.notices import read_notices
from fleetflow_maintenance.register import SCHEMA as VEHICLES
from fleetflow_maintenance.register import Register, read_vehicles
from fleetflow_maintenance.rows import RowsError
from fleetflow_maintenance.settings import MaintenanceSettings
from fleetflow_maintenance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetflow import config
from fleetflow.codes import CodesSettings
from fleetflow.errors import FleetflowError

FLEET = [
    ("A", 2020, "Ford", "F-150"),
    ("B", 2021, "FORD", "f-150"),
    ("C", None, "Ford", "F-150"),
    ("D", 2020, "Ford", "Transit Custom"),
    ("E", 2020, "Dodge", "Ram"),
]


def frame(rows, schema):
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("year", "make", "model", "affected"),
    [
        (2020, "Ford", "F-150", "A"),
        (2020, " f o r d ", "f - 150", "A"),
        (None, "ford", "F-150", "ABC"),
        (2020, "Ford", None, "AD"),
        (None, "Ford", None, "ABCD"),
        (2020, "FORD", "transitcustom", "D"),
        (2019, "Ford", "F-150", ""),
        (2020, "Fo", "F-150", ""),
        (2020, "Ford", "F-15", ""),
    ],
)
def test_notice_affects_vehicles_of_its_make_model_and_year(year, make, model, affected):
    found = match(frame([("N1", year, make, model, "")], NOTICES), frame(FLEET, VEHICLES))
    assert found["vin"].to_list() == list(affected)


def test_notice_of_several_rows_affects_a_vehicle_once():
    notices = frame(
        [
            ("N1", None, "Ford", None, "first"),
            ("N2", 2020, "Dodge", None, "b"),
            ("N1", 2020, "Ford", None, "c"),
        ],
        NOTICES,
    )
    found = match(notices, frame(FLEET, VEHICLES))
    assert found.select("number", "vin").rows() == [*(("N1", vin) for vin in "ABCD"), ("N2", "E")]
    assert set(found.filter(number="N1")["note"]) == {"first"}


words = st.sampled_from(["ford", "Ford ", "F ord", "dodge", "Dodge"])
models = st.sampled_from(["Ram", "ram", "R am", "F-150"])
years = st.one_of(st.none(), st.integers(2019, 2021))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("123"), years, words, st.none() | models, st.just("")), max_size=6),
    st.lists(st.tuples(st.sampled_from("ABCDE"), years, words, models), max_size=6, unique_by=lambda v: v[0]),
)
def test_join_is_that_of_a_slow_reference(notices, vehicles):
    def plain(text):
        return "".join(text.split()).lower()

    expected = {
        (notice[0], vehicle[0])
        for notice in notices
        for vehicle in vehicles
        if plain(notice[2]) == plain(vehicle[2])
        and (notice[1] is None or notice[1] == vehicle[1])
        and (notice[3] is None or plain(notice[3]) == plain(vehicle[3]))
    }
    found = match(frame(notices, NOTICES), frame(vehicles, VEHICLES)).select("number", "vin").rows()
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_notices_are_read_with_and_without_a_header(tmp_path):
    file = tmp_path / "notices.csv"
    file.write_text("R1,2020,Ford,F-150,check brakes\n\nR2,,Ford\n")
    plain = [("R1", 2020, "Ford", "F-150", "check brakes"), ("R2", None, "Ford", None, "")]
    assert read_notices(file)[0].rows() == plain
    file.write_text(
        "\ufeffMake,Number,Note,Year,Model\nFord,R1,check brakes,2020,F-150\nFord,R2,,,\n", "utf-8"
    )
    assert read_notices(file)[0].rows() == plain
    assert read_notices(tmp_path / "none.csv")[0].rows() == []


def test_bad_rows_are_named_with_their_lines(tmp_path):
    file = tmp_path / "notices.csv"
    file.write_text("R1,2020,Ford,,\n,2020,Ford,,\nR3,twenty,Ford,,\nR4,,,\n")
    notices, problems = read_notices(file)
    assert notices["number"].to_list() == ["R1"]
    assert [problem.split(" ")[1] for problem in problems] == ["2", "3", "4"]
    assert "'twenty' as its year" in problems[1]
    vehicles = tmp_path / "vehicles.csv"
    vehicles.write_text("A,2020,Ford,Ram\nB,2020,Ford\n")
    with pytest.raises(RowsError, match=r"line 2.*has no model"):
        read_vehicles(vehicles)
    with pytest.raises(RowsError, match="cannot be read"):
        read_vehicles(tmp_path)


def test_register_replaces_vehicles_and_is_empty_before_the_first(tmp_path):
    register = Register("sqlite:///data/register.sqlite", tmp_path)
    assert register.read().rows() == []
    assert not (tmp_path / "data").exists(), "reading makes nothing"
    register.put([*FLEET, ("A", 1999, "Opel", "Astra")])
    register.put([("E", None, "Dodge", "Ram")])
    found = {row[0]: row for row in register.read().rows()}
    assert found["A"] == ("A", 1999, "Opel", "Astra")
    assert found["E"] == ("E", None, "Dodge", "Ram")
    assert len(found) == len(FLEET)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is no database URL"),
        ("postgresql+nosuchdriver://me:secret@localhost/x", "cannot be used|needs a driver|Can't load"),
    ],
)
def test_register_that_cannot_be_used_is_told_without_its_password(tmp_path, url, words):
    with pytest.raises(FleetflowError, match=words) as raised:
        Register(url, tmp_path).read()
    assert "secret" not in str(raised.value)
    assert "secret" not in str(MaintenanceSettings(register=url).register)


@pytest.mark.parametrize(
    "url", ["sqlite:///r.sqlite", "sqlite+pysqlite:///r.sqlite", "sqlite:///r.sqlite?timeout=1"]
)
def test_sqlite_register_is_the_same_however_it_is_named(tmp_path, url):
    plain, register = Register("sqlite:///r.sqlite", tmp_path), Register(url, tmp_path)
    assert register.file == tmp_path / "r.sqlite"
    assert register.read().rows() == []
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as connection, connection:
        connection.execute("create table other (x)")
    assert register.read().rows() == []
    register.put(FLEET)
    assert sorted(register.read().rows()) == sorted(plain.read().rows()) == sorted(FLEET)


def test_job_with_a_sqlite_register_does_without_sqlalchemy(tmp_path):
    program = (
        "import sys; from pathlib import Path; from fleetflow_maintenance.register import Register;"
        "Register('sqlite:///r.sqlite', Path(sys.argv[1])).read(); sys.exit('sqlalchemy' in sys.modules)"
    )
    Register("sqlite:///r.sqlite", tmp_path).put(FLEET)
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_damaged_register_is_named(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(RegisterError, match=r"x\.sqlite cannot be used"):
        Register("sqlite:///x.sqlite", tmp_path).read()


def test_event_is_made_of_number_and_vin_alone():
    due = {"number": "R1", "note": "brakes", "vin": "A", "year": 2020, "make": "Ford", "model": "F-150"}
    event = notice_event(due, 5.0)
    assert (event.id, event.kind, event.severity) == ("notice:R1:A", "maintenance", "warning")
    assert event.message == "A (2020 Ford F-150): notice R1: brakes"
    assert event.update == {
        "maintenance": "notice R1: brakes",
        "status": "MAINTENANCE",
        "note": "notice R1: brakes",
    }
    assert notice_event({**due, "year": None, "note": ""}, 9.0).update["maintenance"] == "notice R1"


class Live:
    """The detector as the hook makes it, over files in a folder."""

    def __init__(self, home, register="sqlite:///r.sqlite", poll_s=30):
        self.home = home
        self.configuration = config.load(
            {"maintenance": MaintenanceSettings, "codes": CodesSettings},
            environment={"FLEETFLOW_HOME": str(home)},
            flags={
                "maintenance": {
                    "notices": "notices.csv",
                    "register": register,
                    "check_s": 0.05,
                    "poll_s": poll_s,
                }
            },
        )
        (self.detector,) = plugin.fleetflow_detectors(self.configuration)
        self.register = Register.of(self.configuration)

    def notices(self, text):
        new = self.home / "new"
        new.write_text(text)
        new.replace(self.home / "notices.csv")

    def until(self, shard, vins, count):
        """Return what comes when `vins` report again and again, until there are `count` events."""
        events, deadline, at = [], time.monotonic() + 20, 0
        while len(events) < count:
            assert time.monotonic() < deadline, events
            at += 1
            events += shard.on_pings(pl.DataFrame({"vin": vins, "time": [float(at)] * len(vins)}))
            time.sleep(0.01)
        return [event.id for event in events]


def test_notice_or_vehicle_that_is_added_is_told_once_with_the_next_ping(tmp_path):
    live = Live(tmp_path)
    live.notices("R1,,Ford,,\n")
    live.register.put(FLEET[:2])
    shard = live.detector.open(None)
    vins = ["A", "Z", "B", "D"]
    ids = [e.id for e in shard.on_pings(pl.DataFrame({"vin": [*vins, "A"], "time": [1.0] * 5}))]
    assert ids == ["notice:R1:A", "notice:R1:B"]
    assert list(shard.on_pings(pl.DataFrame({"vin": vins, "time": [2.0] * 4}))) == []
    live.register.put([FLEET[3]])
    assert live.until(shard, vins, 1) == ["notice:R1:D"]
    live.notices("R1,,Ford,,\nR2,2020,Ford,,\n")
    assert sorted(live.until(shard, vins, 2)) == ["notice:R2:A", "notice:R2:D"]
    again = live.detector.open(shard.snapshot())
    assert list(again.on_pings(pl.DataFrame({"vin": vins, "time": [3.0] * 4}))) == []


def test_trouble_with_a_file_is_logged_once_and_what_was_known_stays(tmp_path, caplog):
    live = Live(tmp_path)
    live.notices("R1,,Ford,,\n,,\nR3,,\n")
    live.register.put(FLEET)
    live.detector.watch.look()
    known = live.detector.watch.matches
    assert sorted(known.by_vin) == ["A", "B", "C", "D"]
    assert "line 3" in caplog.text
    (tmp_path / "r.sqlite").write_bytes(b"damaged " * 200)
    caplog.clear()
    for _ in range(3):
        live.detector.watch.look()
    assert live.detector.watch.matches is known
    assert caplog.text.count("notices stay as they were") == 1


def test_register_that_is_no_file_is_read_again_now_and_then(tmp_path):
    url = "sqlite:///file:upkeep?mode=memory&cache=shared&uri=true"
    with closing(sqlite3.connect("file:upkeep?mode=memory&cache=shared", uri=True)):
        live = Live(tmp_path, register=url, poll_s=1)
        assert live.register.file is None
        live.notices("R1,,Ford,,\n")
        shard = live.detector.open(None)
        assert list(shard.on_pings(pl.DataFrame({"vin": ["A"], "time": [1.0]}))) == []
        live.register.put(FLEET)
        assert live.until(shard, ["A"], 1) == ["notice:R1:A"]


def test_flow_does_not_wait_for_a_register_that_does_not_answer(monkeypatch, caplog):
    monkeypatch.setattr(watching, "FIRST_S", 0.05)
    answer = threading.Event()

    def read():
        answer.wait(30)
        return {"A": []}

    watch = Watch(lambda: 0, read, 0.05)
    watch.start()
    assert "not read yet" in caplog.text
    assert watch.matches.by_vin == {}
    answer.set()
    deadline = time.monotonic() + 10
    while not watch.matches.by_vin:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_watch_has_one_thread_that_ends_with_its_last_user():
    before = set(threading.enumerate())
    watch = Watch(lambda: 0, lambda: {"A": []}, 30)
    watch.start()
    watch.start()
    assert list(watch.matches.by_vin) == ["A"]
    (thread,) = set(threading.enumerate()) - before
    del watch
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
