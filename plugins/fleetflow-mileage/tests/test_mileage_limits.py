"""Limits per group, and settings that cannot be used."""

import pytest
from fleetflow_mileage.limits import NO_LIMIT, Limits
from fleetflow_mileage.plugin import fleetflow_detectors, fleetflow_settings

from fleetflow import config
from fleetflow.errors import ConfigurationError


def load(home, **table):
    return config.load(
        fleetflow_settings(), environment={"FLEETFLOW_HOME": str(home)}, flags={"mileage": table}
    )


@pytest.fixture
def files(tmp_path):
    (tmp_path / "limits.csv").write_text("group,limit_km\nFord,400\nFORD,450\nKenworth,0.5\n")
    (tmp_path / "groups.csv").write_text("\ufeffA,ford\nB,Ken Worth,more\n\nC,Volvo\n", "utf-8")
    return tmp_path


def test_limit_is_that_of_the_group_or_the_one_for_all(files):
    limits = Limits.read(600, files / "limits.csv", files / "groups.csv")
    kilometres = {vin: limits.of(vin) / 1e6 for vin in "ABCD"}
    assert kilometres == {"A": 450, "B": 0.5, "C": 600, "D": 600}
    assert [limits.group(vin) for vin in "ABCD"] == ["ford", "Ken Worth", "Volvo", None]
    assert Limits.read(0, None, files / "groups.csv").of("D") == NO_LIMIT


def test_detector_reads_the_files_that_the_settings_name(files):
    configuration = load(files, limits="limits.csv", groups="groups.csv", limit_km=7)
    (detector,) = fleetflow_detectors(configuration)
    assert (detector.name, detector.limits.of("A"), detector.limits.of("Z")) == (
        "mileage",
        450_000_000,
        7_000_000,
    )


@pytest.mark.parametrize("row", ["Ford", "Ford,", ",400", "Ford,far", "Ford,-1", "Ford,0", "Ford,nan"])
def test_bad_row_is_named_with_its_line(files, row):
    (files / "limits.csv").write_text(f"group,limit_km\nVolvo,1\n{row}\n")
    with pytest.raises(ConfigurationError, match=r"limits\.csv line 3 is .*expected group,limit_km"):
        Limits.read(0, files / "limits.csv", None)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.csv cannot be read"):
        fleetflow_detectors(load(tmp_path, limits="none.csv"))
    with pytest.raises(ConfigurationError, match="there is no time zone Mars/Olympus"):
        load(tmp_path, time_zone="Mars/Olympus")
