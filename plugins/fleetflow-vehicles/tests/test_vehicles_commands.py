"""`fleetflow vehicles …`, and the hooks that bring it there."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from fleetflow_vehicles import plugin
from fleetflow_vehicles.commands import vehicles_group
from fleetflow_vehicles.opening import active_plugins, migrations_of, open_map, schema_of
from fleetflow_vehicles.settings import VehiclesSettings
from fleetflow_vehicles.store import Store
from vehicles_kit import batch, ping, put, python, wait_for

from fleetflow import config, plugins
from fleetflow.config import Configuration
from fleetflow.contracts.schema import Migration
from fleetflow.contracts.sink import Counts
from fleetflow.errors import ConfigurationError, FleetflowError
from fleetflow.plugins import hookimpl


def configured(home: Path, **environment: str) -> Configuration:
    return config.load(
        {"vehicles": VehiclesSettings}, environment={"FLEETFLOW_HOME": str(home), **environment}
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    store = Store(tmp_path / "data" / "vehicles")
    put(
        store,
        ping("WVWZZZ1JZXW000001", 1.7e9 + 0.5, latitude=1.0, obd_codes=["P0300", "U0100"]),
        ping("WVWZZZ1JZXW000002", 1.7e9 + 2.5, latitude=3.0),
        ping("WVWZZZ1JZXW000003", 1.7e9 + 1.5, latitude=2.0),
    )
    store.update("WVWZZZ1JZXW000003", {"status": "größer", "speed_kmh": 12})
    store.close()
    return tmp_path


def call(home: Path, *arguments: str, fails: bool = False) -> Result:
    result = CliRunner().invoke(vehicles_group, list(arguments), obj=configured(home))
    if not fails:
        assert result.exception is None, result.output
        assert result.exit_code == 0
    return result


def listed(home: Path, *arguments: str) -> list[int]:
    return [
        int(json.loads(line)["vin"][-1])
        for line in call(home, "list", "--json", *arguments).stdout.splitlines()
    ]


def test_list_as_json_prints_each_record_exactly_as_it_is_stored(home: Path) -> None:
    lines = call(home, "list", "--json").stdout.splitlines()
    with open_map(configured(home)) as vehicles:
        assert lines == [text for _, text in vehicles.texts()]
    assert len(lines) == 3


def test_list_can_be_limited_and_sorted(home: Path) -> None:
    assert listed(home) == [1, 2, 3]
    assert listed(home, "--limit", "2") == [1, 2]
    assert listed(home, "--limit", "0") == []
    assert listed(home, "--sort", "latitude") == [1, 3, 2]
    assert listed(home, "--sort", "-time", "--limit", "2") == [2, 3]
    assert listed(home, "--sort", "vin") == [1, 2, 3]
    # those without the field come last, whichever the direction
    assert listed(home, "--sort", "status")[0] == 3
    assert listed(home, "--sort", "-status")[0] == 3


def test_list_refuses_a_field_that_no_vehicle_has(home: Path) -> None:
    error = call(home, "list", "--sort", "colour", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert 'no vehicle has a field "colour"' in error.message
    assert "latitude" in error.hint


def test_list_shows_a_table_with_times_and_fields_of_others(home: Path) -> None:
    output = call(home, "list").stdout
    for words in ("WVWZZZ1JZXW000001", "2023-11-14 22:13:20.500", "größer", "P0300 U0100", "3 vehicles"):
        assert words in output
    assert "1 of 3 vehicles" in call(home, "list", "--limit", "1").stdout


def test_a_vin_cannot_steer_the_terminal(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "vehicles")
    put(store, ping("EVIL\x1b[2J\x07"))
    store.close()
    for arguments in (("list",), ("get", "EVIL\x1b[2J\x07")):
        shown = call(tmp_path, *arguments).stdout
        assert r"EVIL\x1b[2J\x07" in shown
        assert not set("\x1b\x07") & set(shown)


def test_an_empty_map_is_told_in_words(tmp_path: Path) -> None:
    assert "there are no vehicles in" in call(tmp_path, "list").stdout
    assert call(tmp_path, "list", "--json").stdout == ""
    error = call(tmp_path, "get", "X", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert "has the job run?" in error.hint


def test_get_shows_one_vehicle(home: Path) -> None:
    output = call(home, "get", "WVWZZZ1JZXW000003").stdout
    assert "größer" in output
    assert "schema_version" in output
    line = call(home, "get", "WVWZZZ1JZXW000003", "--json").stdout
    assert json.loads(line)["status"] == "größer"
    assert line.startswith('{"vin":"WVWZZZ1JZXW000003",')


def test_get_of_an_unknown_vehicle_names_near_ones_and_fails(home: Path) -> None:
    error = call(home, "get", "wvwzzz1jzxw00001", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert error.exit_code == 1
    assert error.message == 'there is no vehicle "wvwzzz1jzxw00001"'
    assert error.hint.startswith("did you mean WVWZZZ1JZXW000001")
    error = call(home, "get", "\udcff", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert "\\udcff" in error.message


def test_set_reads_values_as_json_or_text_and_null_removes(home: Path) -> None:
    vin = "WVWZZZ1JZXW000003"
    output = call(
        home, "set", vin, "status=stolen", "speed_kmh=null", "n=5", 't="5"', "x=a=b", "nan=NaN"
    ).stdout
    assert f'{vin}: status = "stolen"' in output
    assert f"{vin}: speed_kmh removed" in output
    record = json.loads(call(home, "get", vin, "--json").stdout)
    assert (record["status"], record["n"], record["t"], record["x"]) == ("stolen", 5, "5", "a=b")
    assert record["nan"] == "NaN"
    assert "speed_kmh" not in record
    assert record["latitude"] == 2.0


def test_set_refuses_pings_fields_unknown_vehicles_and_what_is_no_assignment(home: Path) -> None:
    vin = "WVWZZZ1JZXW000003"
    before = call(home, "get", vin, "--json").stdout
    error = call(home, "set", vin, "latitude=1", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert "latitude cannot be set" in error.message
    error = call(home, "set", "NOBODY", "status=x", fails=True).exception
    assert isinstance(error, FleetflowError)
    assert 'there is no vehicle "NOBODY"' in error.message
    result = call(home, "set", vin, "status", fails=True)
    assert (result.exit_code, "FIELD=VALUE" in result.output) == (2, True)
    assert call(home, "set", vin, fails=True).exit_code == 2
    assert call(home, "get", vin, "--json").stdout == before


CLI = """
from pathlib import Path
from fleetflow import config
from fleetflow_vehicles.commands import vehicles_group
from fleetflow_vehicles.settings import VehiclesSettings
obj = config.load({"vehicles": VehiclesSettings}, environment={"FLEETFLOW_HOME": sys.argv[1]})
vehicles_group.main(sys.argv[2:], obj=obj)
"""


def test_watch_prints_one_line_per_change_and_ends_well_with_ctrl_c(home: Path) -> None:
    process = python(CLI, home, "watch", "--json", "--interval", "0.05", "--all")
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline())["vin"][-1] for _ in range(3)]
    assert sorted(first) == ["1", "2", "3"]
    store = Store(home / "data" / "vehicles")
    put(store, ping("WVWZZZ1JZXW000002", 1.8e9))
    assert json.loads(process.stdout.readline())["time"] == 1.8e9
    store.update("WVWZZZ1JZXW000001", {"note": "seen"})
    assert json.loads(process.stdout.readline())["note"] == "seen"
    store.close()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_watch_shows_a_table_and_ends_well_with_ctrl_c(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = CLI.replace(
        "vehicles_group.main",
        "import fleetflow_vehicles.commands as c\n"
        "inner = c._changes\n"
        f"c._changes = lambda *a: (Path({str(ready)!r}).touch(), inner(*a))[1]\n"
        "vehicles_group.main",
    )
    store = Store(tmp_path / "data" / "vehicles")
    put(store, ping("WVWZZZ1JZXW000009"))
    process = python(code, tmp_path, "watch", "--interval", "0.05")
    wait_for(ready.exists, "the table")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    store.close()
    assert (process.returncode, errors) == (0, "")
    assert "WVWZZZ1JZXW000009" in output
    assert "1 vehicle, those that changed last" in output


def test_a_reader_that_goes_away_ends_the_list_without_a_traceback(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "vehicles")
    put(store, *(ping(f"VIN{number:06d}") for number in range(20_000)))
    store.close()
    process = python(CLI, tmp_path, "list", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["vin"] == "VIN000000"
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_text_is_utf8_in_any_locale(home: Path) -> None:
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = python(CLI, home, "get", "WVWZZZ1JZXW000003", "--json", env=environment)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(output)["status"] == "größer"


class Schema:
    """Stands for fleetflow-ping 2."""

    def __init__(self) -> None:
        self.name = "ping"
        self.version = 2
        self.columns = {"vin": None, "obd_codes": None}

    @hookimpl
    def fleetflow_schema(self, configuration: Configuration) -> Any:
        return self

    @hookimpl
    def fleetflow_migrations(self) -> Any:
        return [Migration("ping", 1, lambda record: {**record, "obd_codes": ["none yet"]})]


def test_the_plugin_answers_every_hook_it_claims(tmp_path: Path) -> None:
    loaded = plugins.load(disabled=installed("vehicles"), extra=[("vehicles-under-test", plugin)])
    info = next(info for info in loaded.infos if info.name == "vehicles-under-test")
    assert (info.state, info.problem) == ("active", "")
    assert set(info.hooks) == {
        "fleetflow_commands",
        "fleetflow_settings",
        "fleetflow_sinks",
        "fleetflow_vehicles_map",
    }
    assert plugin.fleetflow_settings() == {"vehicles": VehiclesSettings}
    (command,) = plugin.fleetflow_commands()
    assert isinstance(command, click.Group)
    assert sorted(command.commands) == ["get", "list", "set", "watch"]
    configuration = configured(tmp_path, FLEETFLOW_VEHICLES_DIR="elsewhere")
    (sink,) = plugin.fleetflow_sinks(configuration)
    assert not (tmp_path / "elsewhere").exists(), "nothing is made before a job runs"
    shard = sink.open("0000", None)
    assert shard.write(batch(ping("A")), {}) == {"alpha": Counts(applied=1)}
    shard.close()
    with plugin.fleetflow_vehicles_map(configuration) as vehicles:
        assert vehicles.count() == 1
        assert vehicles.directory == tmp_path / "elsewhere"


def test_schema_and_migrations_come_from_the_plugins_in_use(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    active = plugins.load(disabled=installed("ping"), extra=[("schema-under-test", Schema())])
    schema = schema_of(active, configuration)
    assert schema is not None
    assert schema.version == 2
    store = Store(tmp_path / "data" / "vehicles")
    put(store, ping("A"), version=1)
    store.close()
    with open_map(configuration, active) as vehicles:
        record = vehicles.get("A")
        assert record is not None
        assert (record["schema_version"], record["obd_codes"]) == (2, ["none yet"])
        with pytest.raises(FleetflowError, match="obd_codes cannot be set"):
            vehicles.update("A", {"obd_codes": []})
    none = plugins.load(disabled=installed("ping"))
    assert schema_of(none, configuration) is None
    assert migrations_of(none, None)({"schema_version": 1}) == {"schema_version": 1}


def installed(name: str) -> list[str]:
    return [info.name for info in active_plugins(config.load({}, environment={})).infos if info.name == name]


def test_settings_are_described_and_checked(tmp_path: Path) -> None:
    assert all(field.description for field in VehiclesSettings.model_fields.values())
    with pytest.raises(ConfigurationError, match="cache_mb"):
        configured(tmp_path, FLEETFLOW_VEHICLES_CACHE_MB="0")
    with pytest.raises(ConfigurationError, match="FLEETFLOW_VEHICLES_FOLDER"):
        configured(tmp_path, FLEETFLOW_VEHICLES_FOLDER="x")


def test_commands_have_help(home: Path) -> None:
    for name in ("list", "get", "watch", "set"):
        assert call(home, name, "--help").stdout.startswith("Usage:")
