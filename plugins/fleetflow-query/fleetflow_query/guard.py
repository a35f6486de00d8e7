"""What a question may be: one SELECT over the known tables.

DuckDB itself parses the question and returns its tree as JSON; nothing is judged by its text. This is the
first of two fences: the second is the engine's configuration, which has no files and no network.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from fleetflow_query.errors import QueryError

TABLES = ("vehicles", "events", "rejects")
TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
"""Functions that may stand after FROM: they make rows of their arguments alone."""
REFUSED_FUNCTIONS = frozenset(
    {
        "current_setting",
        "currval",
        "getenv",
        "getvariable",
        "json_execute_serialized_sql",
        "nextval",
        "query",
        "query_table",
        "setseed",
        "setval",
        "sleep_ms",
        "write_log",
    }
)
"""Functions that tell of the machine, change something, or only take time."""
TABLE_NODES = frozenset(
    {
        "BASE_TABLE",
        "EMPTY",
        "EMPTY_FROM",
        "EXPRESSION_LIST",
        "JOIN",
        "PIVOT",
        "SHOW_REF",
        "SUBQUERY",
        "TABLE_FUNCTION",
    }
)
QUERY_NODES = frozenset({"CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE"})
CONDITION = "select vin from vehicles where (\n{}\n)"
ALONE = "select [\n{}\n]"
"""What closes a parenthesis and opens another one cannot stand between brackets, and the other way round."""
HINT = "ask one SELECT over the tables vehicles, events and rejects, or give a condition on vehicles"


def check(connection: duckdb.DuckDBPyConnection, statement: str) -> frozenset[str]:
    """Return the tables that a statement reads; raises QueryError unless it is one harmless SELECT."""
    return _check_tree(_tree(connection, statement))


def check_condition(connection: duckdb.DuckDBPyConnection, expression: str) -> str:
    """Return the SELECT that an expression is the condition of; raises QueryError when it is more than that.

    What closes the parenthesis around it and goes on does not parse between brackets, and would leave
    something else in the tree.
    """
    if not expression.strip():
        raise QueryError(
            "the condition is empty", "such as: latitude between 35 and 37; for all vehicles: true"
        )
    _tree(connection, ALONE.format(expression))
    statement = CONDITION.format(expression)
    node = _tree(connection, statement)
    table = node.get("from_table") or {}
    beside = [
        node.get(name)
        for name in ("modifiers", "group_expressions", "group_sets", "having", "sample", "qualify")
    ]
    plain = (
        node.get("type") == "SELECT_NODE"
        and table.get("type") == "BASE_TABLE"
        and table.get("table_name") == "vehicles"
        and node.get("where_clause") is not None
        and not any(beside)
        and not (node.get("cte_map") or {}).get("map")
    )
    if not plain:
        raise QueryError(
            "this is more than a condition on vehicles",
            "write what could stand after WHERE, such as: latitude between 35 and 37",
        )
    _check_tree(node)
    return statement


def _tree(connection: duckdb.DuckDBPyConnection, statement: str) -> dict[str, Any]:
    try:
        statements = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise QueryError(told(error), HINT) from error
    kinds = [str(one.type).rpartition(".")[2] for one in statements]
    if len(kinds) != 1:
        raise QueryError(f"found {len(kinds)} statements, expected one", HINT)
    if kinds != ["SELECT"]:
        raise QueryError(f"{kinds[0]} is not allowed, only SELECT", HINT)
    try:
        (text,) = connection.execute("select json_serialize_sql($1)", [statement]).fetchall()[0]
        answer = json.loads(text)
    except (duckdb.Error, RecursionError, ValueError) as error:
        raise QueryError(f"the question cannot be understood: {error}", HINT) from error
    if answer.get("error"):
        raise QueryError(f"the question is not allowed: {answer.get('error_message')}", HINT)
    (one,) = answer["statements"]
    node: dict[str, Any] = one["node"]
    return node


def _check_tree(tree: dict[str, Any]) -> frozenset[str]:
    nodes = list(_nodes(tree))
    own = {
        str(entry["key"]).lower()
        for node in nodes
        for entry in (node.get("map") or [])
        if isinstance(node.get("map"), list) and isinstance(entry, dict) and "key" in entry
    }
    used: set[str] = set()
    for node in nodes:
        kind = str(node.get("type"))
        if kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise QueryError(f"{kind.partition('_')[0]} is not allowed, only SELECT", HINT)
        table = node.get("from_table")
        if isinstance(table, dict) and str(table.get("type")) not in TABLE_NODES:
            raise QueryError(f"{table.get('type')} is not allowed after FROM", HINT)
        if kind == "BASE_TABLE":
            name = str(node.get("table_name"))
            if node.get("schema_name") or node.get("catalog_name"):
                raise QueryError(f"the table {node.get('schema_name')}.{name} is not allowed", HINT)
            if name.lower() in TABLES:
                used.add(name.lower())
            elif name.lower() not in own:
                raise _unknown_table(name)
        elif kind == "TABLE_FUNCTION":
            function = str((node.get("function") or {}).get("function_name")).lower()
            if function not in TABLE_FUNCTIONS:
                raise QueryError(f"the function {function} is not allowed after FROM", HINT)
        elif kind == "SHOW_REF":
            used.update(TABLES)
        elif kind == "VALUE_PARAMETER":
            raise QueryError("parameters are not allowed", "write the value itself")
        name = str(node.get("function_name", "")).lower()
        if name in REFUSED_FUNCTIONS:
            raise QueryError(f"the function {name} is not allowed", HINT)
    return frozenset(used)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a tree; without recursion, because its depth is up to the asker."""
    stack = [tree]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            yield one
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)


def _unknown_table(name: str) -> QueryError:
    return QueryError(f"there is no table {name!r:.100}", nearest(name, TABLES))


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint: the known name nearest to `name`, or all of them."""
    lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.5)
    return f"did you mean {lower[close[0]]}?" if close else f"there are: {', '.join(known)}"


def told(error: Exception) -> str:
    """Return DuckDB's message in one line, without the place in a text that the asker did not write."""
    text = str(error).split("\n\nLINE ", maxsplit=1)[0].split("\nLINE ", maxsplit=1)[0]
    return " ".join(text.split())
