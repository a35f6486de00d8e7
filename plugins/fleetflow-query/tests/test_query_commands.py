"""`fleetflow query`, `select` and `deselect` over the real stores."""

import csv
import io
import json
import shlex
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from fleetflow_query import plugin
from fleetflow_query.selection import BEFORE, deselect, select
from fleetflow_vehicles.sink import VehiclesSink
from fleetflow_vehicles.vehicles import Vehicles
from query_kit import COLUMNS, vehicle

from fleetflow import application, plugins
from fleetflow.cli.main import cli
from fleetflow.contracts.detector import Event
from fleetflow.contracts.payload import Place, Reject
from fleetflow.contracts.sink import ShardBatch
from fleetflow.errors import FleetflowError
from fleetflow.events.store import EventsStore
from fleetflow.quarantine.store import QuarantineStore

FRAME = {**COLUMNS, "source": pl.String(), "received_at": pl.Float64()}


def write(home, *records):
    shard = VehiclesSink.at(home / "data/vehicles", 2).open("0000", None)
    rows = [{name: record[name] for name in FRAME} for record in records]
    shard.write(ShardBatch(pl.DataFrame(rows, schema=FRAME)), {})
    shard.snapshot()
    shard.close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETFLOW_HOME", str(tmp_path))
    write(tmp_path, vehicle("A", 36.0, ["P0171"]), vehicle("B", 40.0, ["P0171"]), vehicle("C", 36.5))
    return tmp_path


def run(*arguments):
    done = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def records(home):
    with Vehicles(home / "data/vehicles") as vehicles:
        return {record["vin"]: record for record in vehicles.records()}


def test_condition_as_table_csv_and_json(home):
    condition = "latitude between 35 and 37 and 'P0171' in obd_codes"
    shown = run("query", condition)
    assert "2023-11-14 22:13:20.500" in shown
    assert "1 vehicle\n" in shown
    (line,) = run("query", condition, "--json").splitlines()
    assert json.loads(line) == records(home)["A"]
    (row,) = csv.DictReader(io.StringIO(run("query", condition, "--format", "csv")))
    assert (row["vin"], row["latitude"], row["obd_codes"]) == ("A", "36.0", '["P0171"]')
    assert len(run("query", "true", "--limit", "2", "--json").splitlines()) == 2
    assert run("query", "vin = 'nobody'") == "0 vehicles\n"


def test_statement_as_table_csv_and_json(home):
    store = QuarantineStore(home / "data/quarantine")
    place = Place("alpha", "alpha-0", "x.csv", 0, 4, b"x,\xff\n", "text/csv")
    store.add([Reject(place, "malformed", "expected four columns", 1.0)])
    store.close()
    statement = "select rule, raw, count(*) as n from rejects group by all"
    assert run("query", "--sql", statement, "--format", "csv") == 'rule,raw,n\nmalformed,"x,\\xff\n",1\n'
    assert json.loads(run("query", "--sql", statement, "--json")) == {
        "rule": "malformed",
        "raw": "x,\\xff\n",
        "n": 1,
    }
    assert "malformed" in run("query", "--sql", statement)
    assert json.loads(run("query", "--sql", "select 'nan'::double as x", "--json")) == {"x": None}
    assert run("query", "--sql", "select * from events", "--json") == ""


def test_condition_and_statement_together_or_neither_are_refused(home):
    for arguments in ([], ["true", "--sql", "select 1"]):
        with pytest.raises(FleetflowError, match="either a condition or --sql"):
            run("query", *arguments)


def test_home_without_any_store_answers_with_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETFLOW_HOME", str(tmp_path))
    assert run("query", "'P0171' in obd_codes") == "0 vehicles\n"
    assert json.loads(run("query", "--sql", "select count(*) as n from rejects, events", "--json")) == {
        "n": 0
    }
    assert run("select", "true") == "0 vehicles selected\n"
    assert list(tmp_path.iterdir()) == []


def test_selecting_touches_nothing_but_the_status_and_deselecting_undoes_it(home):
    with Vehicles(home / "data/vehicles") as vehicles:
        vehicles.update("A", {"status": "CRASHED", "note": "help is on its way"})
    before = records(home)
    assert run("select", "latitude < 37") == "2 vehicles selected\n"
    selected = records(home)
    assert selected["A"] == {**before["A"], "status": "SELECTED", BEFORE: "CRASHED"}
    assert selected["B"] == before["B"]
    assert selected["C"] == {**before["C"], "status": "SELECTED"}
    assert run("select", "true") == "1 vehicle selected\n"
    assert run("deselect", "vin = 'B'") == "1 vehicle deselected\n"
    assert records(home)["B"] == before["B"]
    assert run("deselect") == "2 vehicles deselected\n"
    assert records(home) == before
    assert run("deselect") == "0 vehicles deselected\n"


def test_selected_vehicle_stays_selected_when_it_moves(home):
    run("select", "vin = 'A'")
    write(home, vehicle("A", 50.0) | {"time": 1_800_000_000.0})
    assert records(home)["A"]["status"] == "SELECTED"
    assert records(home)["A"]["latitude"] == 50.0


def test_status_that_was_set_while_a_vehicle_was_selected_stays(home):
    with Vehicles(home / "data/vehicles") as vehicles:
        vehicles.update("A", {"status": "SPEEDING"})
        assert select(vehicles, [{"vin": "A"}, {"vin": "nobody"}]) == 1
        vehicles.update("A", {"status": "CRASHED"})
        assert deselect(vehicles, [{"vin": "A"}, {"vin": "nobody"}]) == 0
        record = vehicles.get("A")
        assert record["status"] == "CRASHED"
        assert BEFORE not in record
        # the status that it had before is not brought back later
        vehicles.update("A", {"status": None})
        assert select(vehicles, [{"vin": "A"}]) == 1
        assert deselect(vehicles, [{"vin": "A"}]) == 1
        assert "status" not in vehicles.get("A")


def test_plugin_answers_every_hook_it_claims(home):
    found = plugins.only_these([("query", plugin)])
    assert set(plugin.fleetflow_settings()) == {"query"}
    assert {command.name for command in plugin.fleetflow_commands()} == {"query", "select", "deselect"}
    _, configuration = application.load(None)
    asked = found.at_most_one("fleetflow_query", "answers", configuration)
    assert [record["vin"] for record in asked.where("latitude > 37")] == ["B"]
    asked.close()


def documented():
    text = (Path(__file__).parents[3] / "docs/how-to/query.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("fleetflow ")]
    assert len(lines) > 10
    return lines


@pytest.mark.parametrize("line", documented())
def test_documented_commands_work(home, line):
    words = shlex.split(line, comments=True)
    words = words[: words.index(">")] if ">" in words else words
    assert words[0] == "fleetflow"
    # it ended with 0, which `run` holds
    assert "error" not in run(*words[1:])


def test_events_of_the_store_are_a_table(home):
    store = EventsStore(home / "data/events")
    data = {"city": "Austin"}
    store.add(
        [Event("e1", "A", 5.0, "crash", "critical", "CRASH", data, {"vin": "A"}, {"status": "CRASHED"})]
    )
    store.close()
    statement = "select vin, data->>'city' as city, changes->>'status' as status from events"
    (row,) = run("query", "--sql", statement, "--json").splitlines()
    assert json.loads(row) == {"vin": "A", "city": "Austin", "status": "CRASHED"}
    assert run("query", "vin in (select vin from events where kind = 'crash')").endswith("1 vehicle\n")
