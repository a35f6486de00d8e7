"""Conditions and statements over vehicles, events and rejects."""

import json

import polars as pl
import pytest
from fleetflow_query.errors import QueryError
from fleetflow_query.tables import table
from hypothesis import given
from hypothesis import strategies as st
from query_kit import COLUMNS, query, vehicle, vins


def test_condition_of_the_readme_finds_vehicles_in_order_of_vin():
    found = query(
        vehicle("C", 36.0, ["P0171", "P0300"]),
        vehicle("A", 37.0, ["P0171"]),
        vehicle("B", 37.1, ["P0171"]),
        vehicle("D", 36.0, ["P0300"]),
        vehicle("E", 36.0),
    ).where("latitude between 35 and 37 and 'P0171' in obd_codes")
    assert vins(found) == ["A", "C"]


def test_records_come_back_as_they_are_stored():
    record = vehicle("A", tags={"depot": [1, {"x": None}]}, status="CRASHED", odd=None)
    assert query(record).where("status = 'CRASHED'") == [record]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("true", ["A", "B", "C"]),
        ("status is null", ["A", "C"]),
        ("note is null", ["A", "B", "C"]),
        ("len(obd_codes) = 0", ["B", "C"]),
        ("vin in ('A', 'C')", ["A", "C"]),
        ("VIN = 'A'", ["A"]),
        ("depot->>'city' = 'Austin'", ["C"]),
        ("to_timestamp(time) > timestamp '2023-01-01'", ["A", "B", "C"]),
        ("vin = 'A' or (status = 'CRASHED' and not (latitude < 0))", ["A", "B"]),
        ("vin not in (select vin from events)", ["A", "B"]),
        ("vin = ')'  or vin = 'A' -- with a comment\n", ["A"]),
    ],
)
def test_conditions(condition, expected):
    asked = query(
        vehicle("A", codes=["P0171"]),
        vehicle("B", status="CRASHED"),
        vehicle("C", depot={"city": "Austin"}),
        events=[{"vin": "C", "kind": "speeding"}],
    )
    assert vins(asked.where(condition)) == expected


def test_limit_takes_the_first():
    asked = query(*(vehicle(name) for name in "CAB"))
    assert vins(asked.where("true", limit=2)) == ["A", "B"]
    assert asked.sql("select vin from vehicles order by vin desc", limit=1)["vin"].to_list() == ["C"]
    assert asked.where("true", limit=0) == []


def test_nothing_in_the_map_is_no_error():
    asked = query()
    assert asked.where("'P0171' in obd_codes and status = 'CRASHED'") == []
    assert asked.sql("select count(*) as n from vehicles")["n"].to_list() == [0]
    assert asked.sql("from events").height == asked.sql("from rejects").height == 0


def test_events_and_rejects_are_tables():
    asked = query(
        vehicle("A"),
        events=[{"vin": "A", "kind": "crash", "time": 5.0, "data": '{"city": "Austin"}'}],
        rejects=[{"id": 1, "rule": "vin", "start": 0, "end": 9, "raw": "x,y"}],
    )
    joined = asked.sql("select vin, kind, data->>'city' as city from vehicles join events using (vin)")
    assert joined.rows() == [("A", "crash", "Austin")]
    assert asked.sql('select rule, "end" - start as bytes from rejects').rows() == [("vin", 9)]


def test_only_tables_that_are_asked_for_are_read():
    asked = query(vehicle("A"))
    asked.sql("select 1")
    assert asked._stores.asked == []
    asked.sql("select count(*) from events")
    assert asked._stores.asked == ["events"]
    asked.close()
    assert asked._stores.asked == ["events", "closed"]


def test_unknown_column_names_the_nearest():
    with pytest.raises(QueryError, match="there is no column 'lattitude'") as error:
        query(vehicle("A")).where("lattitude > 1")
    assert error.value.hint == "did you mean latitude?"
    with pytest.raises(QueryError) as error:
        query(vehicle("A")).sql("select obd_code from vehicles")
    assert error.value.hint == "did you mean obd_codes?"
    with pytest.raises(QueryError, match="there is no table 'vehicle'") as error:
        query(vehicle("A")).sql("select * from vehicle")
    assert error.value.hint == "did you mean vehicles?"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select sum(sequence) from vehicles", 14),
        ("select interval 1 day", "1 day"),
        ("select {'a': [1, 2]}", {"a": [1, 2]}),
        ("select map {'a': 1}", "{a=1}"),
        ("select 'a'::blob", b"a"),
        ("select 2::decimal(4, 1)", 2),
        ("select null", None),
        ("select 100000000000000000000::hugeint", 10**20),
    ],
)
def test_values_of_all_kinds_are_answered(statement, expected):
    assert query(vehicle("A"), vehicle("B")).sql(statement).item() == expected


def test_names_that_come_twice_are_told_apart():
    answer = query(vehicle("A")).sql('select vin, vin, vin as "VIN", 1 as "a""b" from vehicles')
    assert len(set(answer.columns)) == 4
    assert 'a"b' in answer.columns


def test_describe_lists_the_columns():
    answer = query(vehicle("A", depot={"x": 1})).sql("describe vehicles")
    types = dict(answer.select("column_name", "column_type").rows())
    assert types["obd_codes"] == "VARCHAR[]"
    assert types["depot"] == types["status"] == "VARCHAR"


def test_fields_of_other_writers_get_the_type_of_their_values():
    found = table(
        [
            {
                "text": "a",
                "whole": 1,
                "number": 1,
                "truth": True,
                "list": ["a"],
                "mixed": 1,
                "nested": {"x": 1},
            },
            {"text": None, "whole": 2, "number": 1.5, "truth": False, "list": [], "mixed": "a", "big": 2**63},
        ],
        {"obd_codes": pl.List(pl.String())},
    )
    assert {name: str(dtype) for name, dtype in found.schema.items()} == {
        "obd_codes": "List(String)",
        "text": "String",
        "whole": "Int64",
        "number": "Float64",
        "truth": "Boolean",
        "list": "List(String)",
        "mixed": "String",
        "nested": "String",
        "big": "Float64",
    }
    assert found["nested"].to_list() == ['{"x":1}', None]
    assert found["mixed"].to_list() == ["1", "a"]
    assert found["obd_codes"].to_list() == [[], []]


def test_fields_that_differ_by_case_only_are_both_there():
    record = vehicle("A", Status="x", status="y")
    answer = query(record).sql('select status, "Status_2" from vehicles')
    assert sorted(answer.row(0)) == ["x", "y"]
    assert query(record).where("status = 'y' or status = 'x'") == [record]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "A", "b", "latitude", "obd_codes"]), values), max_size=4)
)
def test_any_records_make_a_table_with_a_row_each(records):
    given_vins = [{"vin": f"V{number}", **record} for number, record in enumerate(records)]
    found = table(given_vins, COLUMNS)
    assert found["vin"].to_list() == [record["vin"] for record in given_vins]
    assert json.dumps(found.columns)
    assert len({name.lower() for name in found.columns}) == len(found.columns)
