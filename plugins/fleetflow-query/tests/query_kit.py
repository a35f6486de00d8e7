"""Vehicles in memory, to be asked about."""

import polars as pl
from fleetflow_query.asking import DuckQuery
from fleetflow_query.engine import Engine
from fleetflow_query.settings import QuerySettings
from fleetflow_query.stores import EVENTS, REJECTS
from fleetflow_query.tables import table

COLUMNS = {
    "vin": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "time": pl.Float64(),
    "sequence": pl.Int64(),
    "obd_codes": pl.List(pl.String()),
}


def vehicle(vin, latitude=36.0, codes=(), **fields):
    return {
        "vin": vin,
        "latitude": latitude,
        "longitude": -97.5,
        "time": 1_700_000_000.5,
        "sequence": 7,
        "obd_codes": list(codes),
        "source": "alpha",
        "received_at": 1_700_000_001.0,
        "schema_version": 2,
        **fields,
    }


class MemoryStores:
    """Stores that were given their content."""

    columns = COLUMNS

    def __init__(self, records=(), events=(), rejects=()):
        self.content = list(records)
        self.tables = {"events": table(events, EVENTS), "rejects": table(rejects, REJECTS)}
        self.asked = []

    def records(self):
        self.asked.append("vehicles")
        return self.content

    def table(self, name):
        self.asked.append(name)
        return self.tables[name]

    def close(self):
        self.asked.append("closed")


class HereQuery(DuckQuery):
    """Answers in this process: quick, and as right for questions that end by themselves."""

    def _ask(self, kind, text, limit, content):
        engine = Engine(1, self._settings.memory_mb)
        try:
            for name in engine.condition(text) if kind == "condition" else engine.statement(text):
                engine.load(name, content(name))
            most = self._settings.most_rows
            return self._checked(engine.answer(most + 1 if limit is None else min(limit, most + 1)))
        finally:
            engine.close()


def query(*records, kind=HereQuery, **options):
    stores = {name: options.pop(name) for name in ("events", "rejects") if name in options}
    return kind(MemoryStores(records, **stores), QuerySettings(**options))


def vins(records):
    return [record["vin"] for record in records]
