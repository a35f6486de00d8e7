"""The source in the real dataflow: what comes out is exactly what the service had."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from beta_service import Handler, Service, settings, status
from bytewax.recovery import RecoveryConfig, init_db_dir
from fleetflow_beta import plugin
from fleetflow_beta.settings import BetaSettings
from fleetflow_beta.source import BetaSource

from fleetflow.decode.schema import Field, FieldsSchema
from fleetflow.testing import MemoryLedger, MemoryQuarantine, MemorySink, run_once

SCHEMA = FieldsSchema(
    "ping",
    2,
    (
        Field("vin", pl.String()),
        Field("latitude", pl.Float64()),
        Field("longitude", pl.Float64()),
        Field("time", pl.Float64()),
        Field("sequence", pl.Int64(), csv=False),
        Field("obd_codes", pl.List(pl.String()), required=False, default=[]),
    ),
)

ODD = [
    '{"vin": "A"}',
    '"a text"',
    '{"vin": "\\ud800", "latitude": 1, "longitude": 1, "time": 1.0, "sequence": 100}',
    '{"vin": "B", "latitude": NaN, "longitude": 1, "time": 1.0, "sequence": 101}',
    '{"vin": "C", "latitude": 1e999, "longitude": 1, "time": 1.0, "sequence": 102}',
    '{"vin": "D", "latitude": 1, "longitude": 1, "time": 1.0, "sequence": 99999999999999999999}',
    '{"vin": "E", "latitude": 1, "longitude": 1, "time": 1.0, "sequence": 104.5}',
    "[" * 3000 + "]" * 3000,
]


def test_records_that_are_no_pings_are_quarantined_and_the_account_is_even(service: Service) -> None:
    service.add(98)
    for text in ODD:
        service.put(text)
    service.add(20)
    sink, quarantine, ledger = MemorySink(), MemoryQuarantine(), MemoryLedger()
    source = BetaSource(settings(service.url, limit=50), once=True)
    run_once(SCHEMA, [source], [sink, quarantine, ledger])
    counts = ledger.counts["beta"]
    assert len(quarantine.rejects) == len(ODD)
    assert counts.quarantined == len(ODD)
    assert counts.read == counts.settled == service.next
    assert max(record["sequence"] for record in sink.records.values()) == service.next - 1
    assert sorted((span.start, span.end) for span in ledger.spans)[-1][1] == service.next


def test_job_resumes_where_its_snapshot_was(service: Service, tmp_path: Path) -> None:
    init_db_dir(tmp_path, 1)
    recovery = RecoveryConfig(tmp_path, backup_interval=timedelta(0))
    read = []
    for _ in range(3):
        service.add(30)
        ledger = MemoryLedger()
        source = BetaSource(settings(service.url, limit=10), once=True)
        run_once(SCHEMA, [source], [MemorySink(), MemoryQuarantine(), ledger], recovery=recovery)
        read.append([(span.start, span.end) for span in ledger.spans])
    assert [spans[0][0] for spans in read] == [0, 30, 60]
    assert [spans[-1][1] for spans in read] == [30, 60, 90]


def test_job_with_once_ends_without_a_service_that_is_down(service: Service) -> None:
    down = Service()
    down.always = status(503)
    try:
        service.add(10)
        sink, ledger = MemorySink(), MemoryLedger()
        source = BetaSource(settings(service.url, down.url, once_attempts=2), once=True)
        run_once(SCHEMA, [source], [sink, MemoryQuarantine(), ledger])
    finally:
        down.stop()
    assert ledger.counts["beta"].read == 10
    assert [n.data["url"] for n in ledger.notices if n.kind == "error"] == [down.url]


def test_job_that_is_read_twice_applies_nothing_twice(service: Service) -> None:
    service.add(50)
    sink = MemorySink()
    for _ in range(2):
        run_once(SCHEMA, [BetaSource(settings(service.url), once=True)], [sink, MemoryQuarantine()])
    assert len(sink.records) == 7
    assert max(record["sequence"] for record in sink.records.values()) == 49


def test_names_that_are_stored_do_not_change() -> None:
    source = BetaSource(BetaSettings())
    assert source.name == "beta"
    assert [*source.partitions()] == ["beta-0", "beta-1", "beta-2", "beta-3"]
    partition = source.open("beta-0", None)
    assert partition.position() == {"v": 1, "urls": {}}
    partition.close()


@pytest.mark.parametrize("name", BetaSettings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert f"`{name}`" in readme
    assert plugin.fleetflow_settings()["beta"] is BetaSettings


def test_slow_service_does_not_hold_up_the_dataflow(service: Service) -> None:
    def slow(handler: Handler, since: int, limit: int) -> None:
        handler.connection.settimeout(30)
        handler.connection.recv(1)

    service.always = slow
    partition = BetaSource(settings(service.url)).open("beta-0", None)
    try:
        assert not [emission for emission in partition.poll(1 << 20) if emission.kind != "progress"]  # type: ignore[union-attr]
        assert not partition.caught_up()
        assert partition.next_poll_s() > 0
    finally:
        partition.close()
