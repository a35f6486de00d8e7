"""The works that are measured, in the order in which they are shown."""

from benchmarks.context import Context, Work
from benchmarks.works import backfill, dashboard, everything, growth, idle, live, pages, restart

WORKS: dict[str, Work] = {
    "a": backfill.by_vehicle,
    "b": backfill.interleaved,
    "c": pages.measure,
    "d": live.measure,
    "e": everything.measure,
    "f": growth.measure,
    "g": idle.measure,
    "h": restart.measure,
    "u": dashboard.measure,
}

__all__ = ["WORKS", "Context", "Work"]
