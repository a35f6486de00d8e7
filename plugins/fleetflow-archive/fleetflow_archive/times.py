"""Times as people write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import click


class Time(click.ParamType[float]):
    """Seconds since 1970, or a date and time as ISO 8601 has it, UTC unless an offset is given."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds since 1970."""
        try:
            seconds = float(value)
        except ValueError:
            try:
                moment = datetime.fromisoformat(str(value).strip())
            except ValueError:
                self.fail(
                    f"{value!r} is no time: write 2026-11-24T10:00:00Z, or seconds since 1970", param, ctx
                )
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no time: a finite number is expected", param, ctx)
        return seconds


def shown(seconds: float | None) -> str:
    """Return a time for people, in UTC; as a number when no calendar has it."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
    except (ValueError, OverflowError, OSError):
        return str(seconds)
