"""A kit for plugin authors: sources and sinks in memory, and a whole flow without a cluster.

from fleetflow.testing import MemorySink, MemorySource, run_once

sink = MemorySink()
run_once(schema=fleetflow_schema(), sources=[MemorySource([payload])], sinks=[sink, MemoryQuarantine()])
assert sink.records["1N4AL21E08N529714"]["latitude"] == 40.05

- `memory`: what is named above
- `home`: a job in a folder of its own, run by the real command
- `buses`: days of real buses as input
"""

from fleetflow.testing.memory import (
    MemoryLedger,
    MemoryPartition,
    MemoryQuarantine,
    MemorySink,
    MemorySource,
    configuration,
    csv_payload,
    empty,
    run_once,
)

__all__ = [
    "MemoryLedger",
    "MemoryPartition",
    "MemoryQuarantine",
    "MemorySink",
    "MemorySource",
    "configuration",
    "csv_payload",
    "empty",
    "run_once",
]
