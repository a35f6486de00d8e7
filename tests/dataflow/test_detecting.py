"""What goes on from the step that shows every ping to the detectors."""

import polars as pl
import pytest
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow.contracts.detector import Event
from fleetflow.contracts.sink import Counts, ShardBatch
from fleetflow.dataflow.conflation import FEW
from fleetflow.dataflow.steps import DetectLogic
from fleetflow.testing import MemoryLedger, MemoryQuarantine, MemorySink, MemorySource, csv_payload, run_once


class Seeing:
    """Keeps what it is shown, and makes an event of each batch."""

    name = "seeing"

    def __init__(self):
        self.rows = []

    def open(self, state):
        return self

    def on_pings(self, pings):
        self.rows.append(pings.height)
        return [Event(f"e{len(self.rows)}", "A", 1.0, "seen", "info", "seen")]

    def snapshot(self):
        return None


def batch(rows, backlog=True):
    pings = pl.DataFrame(
        {
            "vin": [f"V{row % 7}" for row in range(rows)],
            "latitude": 1.0,
            "longitude": 2.0,
            "time": [float(row) for row in range(rows)],
            "sequence": 1,
            "source": "alpha",
            "received_at": 0.0,
        }
    )
    return ShardBatch(pings=pings, counts={"alpha": Counts(read=rows)}, backlog=backlog)


def detect(batches, **options):
    seeing = Seeing()
    (found,), _ = DetectLogic([], [seeing], None, **options).on_batch(batches)
    return seeing.rows, found


@pytest.mark.parametrize("backlog", [True, False])
def test_detectors_see_every_ping_and_only_the_newest_go_on(backlog):
    rows, found = detect([batch(FEW), batch(700, backlog)], conflate=True)
    assert rows == [FEW + 700]
    assert sorted(found.pings["vin"]) == [f"V{number}" for number in range(7)]
    assert found.counts == {"alpha": Counts(read=FEW + 700, superseded=FEW + 693)}
    assert [event.id for event in found.events] == ["e1"]
    assert found.backlog is backlog


def test_every_ping_goes_on_where_somebody_wants_it_and_where_they_are_few():
    for batches, options in (([batch(FEW + 1)], {}), ([batch(FEW)], {"conflate": True})):
        _, found = detect(batches, **options)
        assert found.pings.equals(batches[0].pings)
        assert found.counts == batches[0].counts


class Recording:
    """A sink that wants every ping."""

    name = "recording"
    role = "recorder"

    def __init__(self):
        self.times = []

    def open(self, shard, state):
        return self

    def write(self, batch, settled):
        self.times += batch.pings["time"].to_list()
        return {}

    def snapshot(self):
        return None

    def close(self):
        pass


@pytest.mark.parametrize("recording", [[], [Recording()]])
def test_a_flow_with_a_detector_records_every_ping_if_asked_and_accounts_for_all(recording):
    rows = FEW + 100
    text = "".join(f"A,1,2,{row}\n" for row in range(1, rows + 1))
    seeing, sinks = Seeing(), [MemorySink(), MemoryQuarantine(), MemoryLedger(), *recording]
    settings = {"flow": {"shards": "1"}}
    run_once(
        fleetflow_schema(), [MemorySource([csv_payload(text)])], sinks, detectors=[seeing], settings=settings
    )
    assert sum(seeing.rows) == rows
    assert sinks[0].records["A"]["time"] == rows
    assert sinks[2].counts == {"memory": Counts(read=rows, applied=1, superseded=rows - 1)}
    for recorder in recording:
        assert recorder.times == list(range(1, rows + 1))
