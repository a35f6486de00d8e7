"""Judging pings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule: a vectorised expression that is true for a good ping.

    `expression(now)` is asked once per batch with seconds since 1970 and returns a Polars expression
    over the schema's columns; null counts as not good. A ping is rejected by the first rule, in order of
    `name` within one plugin's list order, that it breaks. `reason` says what was expected, in words.

    `holds(ping, now)`, if there is one, tells the same of one ping as a mapping of the schema's columns. A
    handful of pings is judged by it when every rule has one, which costs a tenth of a query.

    `all_hold(pings, now)`, if there is one, is true only where every ping of a batch is good, told by a look
    at whole columns; where it is not true, the expression decides. Batches are mostly good, and a query costs
    several times as much.
    """

    name: str
    reason: str
    expression: Callable[[float], pl.Expr]
    holds: Callable[[Mapping[str, Any], float], bool] | None = None
    all_hold: Callable[[pl.DataFrame, float], bool] | None = None
