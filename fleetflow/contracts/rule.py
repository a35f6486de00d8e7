"""Judging pings."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule: a vectorised expression that is true for a good ping.

    `expression(now)` is asked once per batch with seconds since 1970 and returns a Polars expression
    over the schema's columns; null counts as not good. A ping is rejected by the first rule, in order of
    `name` within one plugin's list order, that it breaks. `reason` says what was expected, in words.
    """

    name: str
    reason: str
    expression: Callable[[float], pl.Expr]
