"""Built-in validation rules: what every ping must fulfil, whatever the vendor."""

import math
import sys
from collections.abc import Sequence

import polars as pl
from pydantic import BaseModel, Field

from fleetflow.config import Configuration, Settings, Words
from fleetflow.contracts.rule import Rule
from fleetflow.errors import ConfigurationError
from fleetflow.native.vehicles import text_sizes
from fleetflow.plugins import hookimpl

VIN_LENGTH = 64


class ValidationSettings(Settings):
    """The table [validation]."""

    disabled: Words = Field((), description="names of built-in validation rules to turn off")
    future_s: float = Field(86_400.0, gt=0, description="how far ahead of this clock a ping's time may be")


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the table [validation]."""
    return {"validation": ValidationSettings}


@hookimpl
def fleetflow_rules(configuration: Configuration) -> Sequence[Rule]:
    """Return the built-in rules that are not turned off."""
    settings = configuration.table("validation", ValidationSettings)
    rules = builtin_rules(settings.future_s)
    unknown = set(settings.disabled) - {rule.name for rule in rules}
    if unknown:
        raise ConfigurationError(
            f"[validation] disabled names unknown rules: {', '.join(sorted(unknown))}",
            f"known: {', '.join(rule.name for rule in rules)}",
        )
    return [rule for rule in rules if rule.name not in settings.disabled]


def builtin_rules(future_s: float) -> list[Rule]:
    """Return all built-in rules, in the order in which they judge."""
    return [
        Rule(
            "vin",
            f"the VIN must be a non-empty text of at most {VIN_LENGTH} characters",
            lambda now: pl.col("vin").str.len_chars().is_between(1, VIN_LENGTH),
            lambda ping, now: ping["vin"] is not None and 1 <= len(ping["vin"]) <= VIN_LENGTH,
            lambda pings, now: _within(text_sizes(pings["vin"]), 1, VIN_LENGTH),
        ),
        Rule(
            "latitude",
            "the latitude must be finite and between -90 and 90 degrees",
            lambda now: pl.col("latitude").is_between(-90, 90),
            lambda ping, now: ping["latitude"] is not None and -90 <= ping["latitude"] <= 90,
            lambda pings, now: _within(_extent(pings["latitude"]), -90, 90),
        ),
        Rule(
            "longitude",
            "the longitude must be finite and between -180 and 180 degrees",
            lambda now: pl.col("longitude").is_between(-180, 180),
            lambda ping, now: ping["longitude"] is not None and -180 <= ping["longitude"] <= 180,
            lambda pings, now: _within(_extent(pings["longitude"]), -180, 180),
        ),
        Rule(
            "null_island",
            "latitude 0 and longitude 0 together mean that there was no fix",
            lambda now: (pl.col("latitude") != 0) | (pl.col("longitude") != 0),
            lambda ping, now: ping["latitude"] not in (0, None) or ping["longitude"] not in (0, None),
            lambda pings, now: _has_a_sign(pings["latitude"]) or _has_a_sign(pings["longitude"]),
        ),
        Rule(
            "time",
            "the time must be finite and not negative, in seconds since 1970",
            lambda now: pl.col("time").is_finite() & (pl.col("time") >= 0),
            lambda ping, now: ping["time"] is not None and 0 <= ping["time"] < math.inf,
            lambda pings, now: _within(_extent(pings["time"]), 0, sys.float_info.max),
        ),
        Rule(
            "future",
            f"the time must not be more than {future_s:g} s ahead of this clock",
            lambda now: pl.col("time") <= now + future_s,
            lambda ping, now: ping["time"] is not None and ping["time"] <= now + future_s,
            lambda pings, now: _within(_extent(pings["time"]), -math.inf, now + future_s),
        ),
    ]


def _extent(column: pl.Series) -> tuple[float, float] | None:
    """Return the least and the greatest number, not a number if one is none; None where some are missing."""
    if column.null_count() or not len(column):
        return None
    numbers = column.to_numpy()
    return float(numbers.min()), float(numbers.max())


def _within(extent: tuple[float, float] | None, least: float, greatest: float) -> bool:
    return extent is not None and least <= extent[0] and extent[1] <= greatest


def _has_a_sign(column: pl.Series) -> bool:
    """Return whether all numbers are above, or all below, 0."""
    extent = _extent(column)
    return extent is not None and (extent[0] > 0 or extent[1] < 0)
