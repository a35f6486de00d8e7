"""Questions that would read files, write, reach the network, or never end: refused, with nothing done."""

import socket

import pytest
from fleetflow_query import asking
from fleetflow_query.asking import DuckQuery
from fleetflow_query.engine import Engine
from fleetflow_query.errors import QueryError
from query_kit import query, vehicle

CANARY = "canary-5f1c"

STATEMENTS = [
    "select * from read_csv('{file}')",
    "select * from read_csv_auto('{file}', header=false)",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_json('{file}')",
    "select * from read_ndjson_objects('{file}')",
    "select * from read_parquet('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from sniff_csv('{file}')",
    "select * from read_duckdb('{file}')",
    "select * from '{file}'",
    'select * from "{file}"',
    "from '{file}'",
    "describe '{file}'",
    "describe select * from read_csv('{file}')",
    "summarize '{file}'",
    "select * from glob('{folder}/*')",
    "select * from vehicles, read_text('{file}')",
    "select * from vehicles where vin in (select content from read_text('{file}'))",
    "with x as (select * from read_text('{file}')) select * from x",
    "select (select content from read_text('{file}'))",
    "select * from (from read_text('{file}')) union all select 1, 'a', 1, null",
    "select * from query('select * from read_text(''{file}'')')",
    "select * from query_table('{file}')",
    "select * from query_table(['{file}'])",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from read_text('http://127.0.0.1:{port}/x')",
    "select * from 'http://127.0.0.1:{port}/x.csv'",
    "select * from 's3://bucket/x.parquet'",
    "copy vehicles to '{new}'",
    "copy (select 1) to '{new}'",
    "copy vehicles from '{file}'",
    "export database '{new}'",
    "import database '{folder}'",
    "attach '{new}'",
    "attach '{new}' as other (type sqlite)",
    "create table other as select * from vehicles",
    "create or replace view vehicles as select 1",
    "create macro f() as table select * from read_text('{file}')",
    "create secret (type s3, key_id 'x')",
    "insert into vehicles select * from vehicles",
    "with x as (insert into vehicles select * from vehicles returning *) select * from x",
    "update vehicles set vin = 'x'",
    "delete from vehicles",
    "truncate vehicles",
    "drop table vehicles",
    "alter table vehicles add column x int",
    "install httpfs",
    "install httpfs from 'http://127.0.0.1:{port}'",
    "load httpfs",
    "load '{file}'",
    "pragma database_list",
    "pragma enable_external_access = true",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set threads = 64",
    "set temp_directory = '{folder}'",
    "reset memory_limit",
    "call pragma_version()",
    "call enable_logging(storage = 'file')",
    "checkpoint",
    "vacuum",
    "explain analyze select 1",
    "prepare x as select 1",
    "execute x",
    "use memory",
    "begin",
    "select getenv('HOME')",
    "select current_setting('temp_directory')",
    "select write_log('x')",
    "select sleep_ms(100000)",
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from information_schema.tables",
    "select * from sqlite_master",
    "select * from main.vehicles",
    "select * from memory.main.vehicles",
    "select * from secret_of_python",
    "select 1; select 2",
    "select 1; copy vehicles to '{new}'",
    "select $1",
    "select ?",
    "",
    ";",
    "-- nothing",
    "this is no SQL",
]

CONDITIONS = [
    "vin in (select content from read_text('{file}'))",
    "exists (from read_csv('{file}'))",
    "vin in (from '{file}')",
    "true); copy vehicles to '{new}'; select (true",
    "true) union all select content from read_text('{file}') where (true",
    "true) union all select vin from vehicles where (true",
    "true) order by (vin",
    "true) limit (1",
    "true) group by (vin",
    "true) having (true",
    "true) qualify (true",
    "true) using sample (1",
    "true) window w as (order by vin",
    "true) and (true",
    "true] from vehicles where [true",
    "true) -- the rest is a comment",
    "true /* a comment that does not end",
    "getenv('HOME') = '/root'",
    "current_setting('threads') = '1'",
    "vin = $1",
    "count(*) > 1",
    "1, 2",
    "vin",
    "",
    " ",
    "select 1",
    "*",
    "'a",
    "vin = 'a' latitude",
    "from vehicles",
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A file that must not be read, names that must not be made, a port that must not be called."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "canary.csv"
    file.write_text(f"content\n{CANARY}\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield {
            "file": str(file),
            "folder": str(tmp_path),
            "new": str(tmp_path / "new.csv"),
            "port": server.getsockname()[1],
        }
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [path.name for path in tmp_path.iterdir()] == ["canary.csv"]
    assert CANARY in file.read_text()


def filled(text, places):
    for name, value in places.items():
        text = text.replace("{" + name + "}", str(value))
    return text


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statement_is_refused_in_words(statement, places):
    secret_of_python = [vehicle("a")]
    asked = query(*secret_of_python)
    with pytest.raises(QueryError) as refusal:
        asked.sql(filled(statement, places))
    assert refusal.value.message
    assert refusal.value.hint
    assert CANARY not in str(refusal.value)
    assert vins_of(asked) == ["a"]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_is_refused_in_words(condition, places):
    asked = query(vehicle("a"), vehicle("b"))
    with pytest.raises(QueryError) as refusal:
        asked.where(filled(condition, places))
    assert refusal.value.message
    assert CANARY not in str(refusal.value)
    assert vins_of(asked) == ["a", "b"]


def vins_of(asked):
    return asked.sql("select vin from vehicles order by vin")["vin"].to_list()


@pytest.mark.parametrize(
    "statement",
    [
        "with recursive x(n) as (select 1 union all select n + 1 from x) select max(n) from x",
        "select count(*) from range(1000000000000) a, range(1000000) b",
        "select sum(sqrt(a.range * b.range)) from range(100000000) a, range(100000000) b",
    ],
)
def test_question_without_end_is_ended(statement):
    with pytest.raises(QueryError, match=r"takes longer than 0\.2 s"):
        query(vehicle("a"), kind=DuckQuery, time_limit_s=0.2).sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select length(repeat('x', 3000000000))",
        "select len(list_resize([1], 300000000))",
        "select len(range(200000000))",
        "select length(lpad('a', 1000000000, 'b'))",
        "select length(replace(replace(replace(replace(repeat('a', 99999), 'a', 'bbbbbbbbbbbbbbbbbbbb'), 'b',"
        " 'cccccccccccccccccccc'), 'c', 'dddddddddddddddddddd'), 'd', 'eeeeeeeeeeeeeeeeeeee'))",
        "select list(range) from range(1000000000)",
        "select count(distinct range) from range(500000000)",
    ],
)
def test_question_that_takes_too_much_memory_is_ended(statement):
    with pytest.raises(QueryError, match=r"MB of memory|takes longer"):
        query(vehicle("a"), kind=DuckQuery, memory_mb=64, time_limit_s=2).sql(statement)


def test_answer_with_too_many_rows_is_refused():
    asked = query(vehicle("a"), most_rows=10)
    assert asked.sql("select * from range(10)").height == 10
    with pytest.raises(QueryError, match="more than 10 rows"):
        asked.sql("select * from range(11)")
    assert asked.sql("select * from range(11)", limit=5).height == 5


def test_question_that_is_nested_too_deeply_is_refused():
    with pytest.raises(QueryError):
        query(vehicle("a"), kind=DuckQuery).where("not " * 5000 + "true")


def test_engine_is_closed_even_to_what_the_guard_would_let_pass(places, monkeypatch):
    monkeypatch.setattr("fleetflow_query.engine.check", lambda connection, statement: frozenset())
    for statement in (f"select * from read_text('{places['file']}')", f"from glob('{places['folder']}/*')"):
        engine = Engine(1, 64)
        assert engine.statement(statement) == []
        with pytest.raises(QueryError, match="disabled by configuration"):
            engine.answer(1)
        engine.close()


def test_no_process_is_left_and_none_knows_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET_OF_SOMEBODY", "x")
    started = []
    real = asking.subprocess.Popen

    def popen(*arguments, **options):
        started.append((real(*arguments, **options), options["env"]))
        return started[-1][0]

    monkeypatch.setattr(asking.subprocess, "Popen", popen)
    asked = query(vehicle("a"), vehicle("b"), kind=DuckQuery)
    assert len(asked.where("vin = 'a'")) == 1
    with pytest.raises(QueryError, match="there is no column 'nonsense'"):
        asked.where("nonsense")
    assert len(started) == 2
    for process, environment in started:
        assert process.returncode is not None
        assert "SECRET_OF_SOMEBODY" not in environment
