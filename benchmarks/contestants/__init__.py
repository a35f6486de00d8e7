"""Who takes part, in the order in which they are shown."""

from benchmarks.contestants.base import Contestant
from benchmarks.contestants.jet import HazelcastJet
from benchmarks.contestants.ours import Fleetflow
from benchmarks.contestants.peers import (
    DuckDBScan,
    FlinkSQL,
    Pathway,
    PolarsScan,
    TextbookMap,
    TextbookMemory,
)

REFERENCE = "fleetflow"
"""The contestant to which the others are compared: the command as it is, with its default settings."""


def everyone(cores: int = 2) -> list[Contestant]:
    """Return all contestants, the streaming peers with the best of what they offer for `cores` cores."""
    return [
        Fleetflow(),
        Fleetflow(workers=1),
        Fleetflow(workers=1, processes=2),
        Fleetflow(native=0),
        TextbookMap(),
        TextbookMemory(),
        Pathway(workers=1),
        Pathway(workers=cores),
        FlinkSQL(workers=cores),
        HazelcastJet(cores),
        DuckDBScan(cores),
        PolarsScan(cores),
    ]
