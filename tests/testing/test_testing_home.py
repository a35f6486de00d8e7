"""The kit for stories: a job in a folder of its own, and days of buses as its input."""

import pytest

from fleetflow.testing.buses import as_alpha, reports, valid
from fleetflow.testing.home import Home

DAY = """timestamp,trip_id,vehicle_id,latitude,longitude,speed
2015-03-18T06:00:00-05:00,1,77,30.5,-97.5,0.5
2015-03-18T05:00:00-05:00,1,77,30.25,-97.5,
2015-03-18T05:00:00-05:00,2,78,0,0,1
2015-03-18T05:00:00-05:00,2,78,,,1
"""


def test_bus_days_become_files_of_alpha_in_their_order(tmp_path):
    (tmp_path / "2015-03-18.csv").write_text(DAY)
    rows = reports(tmp_path)
    assert as_alpha(rows)["77-2015-03-18.csv"] == [
        "77-2015-03-18,30.5,-97.5,1426676400.0\n",
        "77-2015-03-18,30.25,-97.5,1426672800.0\n",
    ]
    assert list(as_alpha(rows, by_day=False)) == ["77.csv", "78.csv"]
    assert valid(rows) == [
        ("77-2015-03-18", 1426676400.0, 30.5, -97.5),
        ("77-2015-03-18", 1426672800.0, 30.25, -97.5),
    ]


def test_a_home_runs_commands_with_its_own_settings_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEETFLOW_ALPHA_DIR", "elsewhere")
    monkeypatch.setenv("FLEETFLOW_PLUGINS_DISABLED", "one other")
    home = Home(tmp_path, on=["other"], quarantine={"dir": "data/bad"})
    assert "FLEETFLOW_ALPHA_DIR" not in home.environment
    assert home.environment["FLEETFLOW_PLUGINS_DISABLED"] == "one"
    monkeypatch.undo()
    home = Home(tmp_path, quarantine={"dir": "data/bad"})
    lines = ["A,1,2,1000\n", "A,1,2,1001\n", "no ping\n"]
    home.write({"A.csv": lines}, slice(1))
    home.write({"A.csv": lines}, slice(1, None))
    assert "ERROR" not in home.once()
    assert home.account() == {"read": 3, "applied": 1, "superseded": 1, "quarantined": 1}
    assert (tmp_path / "data/bad").is_dir()
    assert [row["time"] for row in home.rows("vehicles", "list")] == [1001.0]
    assert home.events() == {}
    assert not home.told()
    assert "there is no vehicle" in home.refused("vehicles", "get", "B")


def test_a_home_kills_its_job_when_something_has_come_true(tmp_path):
    home = Home(tmp_path)
    home.write({"A.csv": ["A,1,2,1000\n"]})

    def then():
        return home.write({"A.csv": ["A,1,2,1001\n"]})

    home.killed_when((tmp_path / "data/ledger").is_dir, then, "-w", "1")
    home.once()
    assert home.account()["read"] == 2
    with pytest.raises(AssertionError, match="ended by itself"):
        home.killed_when(lambda: False, then, "--once")
