"""Questions to the stores, in the words of SQL."""

from typing import Protocol

import polars as pl

from fleetflow.contracts.vehicles import Record


class Query(Protocol):
    """Answers questions about vehicles, events and rejects. Reads only; cannot reach files or the network.

    Both methods raise a FleetflowError that says what is wrong with a question, and end one that takes too
    long.
    """

    def where(self, expression: str, limit: int | None = None) -> list[Record]:
        """Return the records of the vehicles map for which a condition holds, in order of VIN.

        The condition is what could stand after WHERE: `latitude between 35 and 37 and 'P0171' in obd_codes`.
        """
        ...

    def sql(self, statement: str, limit: int | None = None) -> pl.DataFrame:
        """Return the answer to a SELECT over the tables `vehicles`, `events` and `rejects`."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
