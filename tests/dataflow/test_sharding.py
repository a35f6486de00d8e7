"""Shards of vehicles are stored data: one by one or by columns, the same."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetflow.dataflow import sharding
from fleetflow.dataflow.sharding import shard_name, shard_of, shards_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)


def test_shards_of_vehicles_are_stored_data_and_do_not_change():
    vins = ["1N4AL21E08N529714", "2G4WY52M0W1425355", "", "ü"]
    assert [shard_of(vin, 8) for vin in vins] == [1, 4, 0, 5]
    assert shard_name(7) == "0007"


@pytest.fixture
def by_columns(monkeypatch):
    monkeypatch.setattr(sharding, "FEW", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT), st.integers(1, 4096))
def test_columns_are_hashed_like_single_vins(by_columns, vins, shards):
    found = shards_of(pl.Series("vin", vins, pl.String), shards)
    assert found.to_list() == [shard_of(vin, shards) for vin in vins]
    assert found.dtype == pl.Int32


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17, 63, 64, 65])
def test_each_length_is_hashed_right(by_columns, length):
    vins = [chr(ord("0") + number % 70) * length for number in range(100)]
    assert shards_of(pl.Series("vin", vins), 8).to_list() == [shard_of(vin, 8) for vin in vins]


@given(st.lists(st.tuples(TEXT, st.integers(1, 9)), max_size=20), st.integers(1, 64))
def test_runs_of_one_vehicle_are_hashed_like_single_vins(by_runs, shards):
    vins = [vin for vin, times in by_runs for _ in range(200 * times)]
    found = shards_of(pl.Series("vin", vins, pl.String), shards)
    assert found.to_list() == [shard_of(vin, shards) for vin in vins]
    assert found.dtype == pl.Int32
