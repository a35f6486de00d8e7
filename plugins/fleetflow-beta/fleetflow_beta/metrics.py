"""Counters for Prometheus, in the default registry, made once per process and when first needed."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from prometheus_client import Counter


class Metrics(NamedTuple):
    """The counters, each by `url` (without credentials)."""

    pages: Counter
    pings: Counter
    lost: Counter
    restarts: Counter
    errors: Counter


@cache
def metrics() -> Metrics:
    """Return the counters of this process."""
    labels = ("url",)
    return Metrics(
        Counter("fleetflow_beta_pages", "Pages that brought pings", labels),
        Counter("fleetflow_beta_pings", "Pings in those pages, valid or not", labels),
        Counter("fleetflow_beta_lost_pings", "Pings that the service dropped before they were read", labels),
        Counter("fleetflow_beta_restarts", "Times that the service started again from sequence 0", labels),
        Counter("fleetflow_beta_errors", "Requests that failed, by kind of failure", (*labels, "kind")),
    )
