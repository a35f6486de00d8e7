"""Names that are stored data, and what the wiring refuses."""

import pytest
from bytewax.visualize import to_rendered
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow import plugins
from fleetflow.dataflow.stop import StopFlag
from fleetflow.dataflow.wiring import build
from fleetflow.dataflow.writing import in_order
from fleetflow.errors import PluginError
from fleetflow.plugins import hookimpl
from fleetflow.testing import MemoryLedger, MemoryQuarantine, MemorySink, MemorySource, configuration


def given(sources=(), sinks=(), schema=True):
    class Given:
        @hookimpl
        def fleetflow_sources(self):
            return list(sources)

        @hookimpl
        def fleetflow_sinks(self):
            return list(sinks)

        @hookimpl
        def fleetflow_schema(self):
            return fleetflow_schema() if schema else None

    return plugins.only_these([("given", Given())])


def test_step_ids_are_stored_data_and_do_not_change():
    sinks = [MemorySink(), MemoryQuarantine()]
    loaded = given([MemorySource([], "beta"), MemorySource([], "alpha")], sinks)
    rendered = to_rendered(build(loaded, configuration(), StopFlag()))
    assert [step.step_id for step in rendered.substeps] == [
        "fleetflow.read_alpha",
        "fleetflow.decode_alpha",
        "fleetflow.read_beta",
        "fleetflow.decode_beta",
        "fleetflow.merge",
        "fleetflow.validate",
        "fleetflow.split",
        "fleetflow.detect",
        "fleetflow.record",
        "fleetflow.conflate",
        "fleetflow.write",
    ]


@pytest.mark.parametrize(
    ("loaded", "words"),
    [
        (given([], [MemorySink(), MemoryQuarantine()]), "no source"),
        (given([MemorySource([], "Not a name")], [MemorySink(), MemoryQuarantine()]), "small letters"),
        (given([MemorySource([])], [MemoryQuarantine()]), "exactly one sink must keep the pings, none"),
        (given([MemorySource([])], [MemorySink()]), "exactly one sink must keep the rejects"),
        (given([MemorySource([])], [MemorySink(), MemoryQuarantine()], schema=False), "no installed plugin"),
    ],
)
def test_what_cannot_run_is_refused_in_words(loaded, words):
    with pytest.raises(PluginError, match=words):
        build(loaded, configuration(), StopFlag())


def test_ledger_is_written_last():
    sinks = [MemoryLedger(), MemorySink(name="z", role="observer"), MemoryQuarantine(), MemorySink()]
    assert [sink.name for sink in in_order(sinks)] == ["memory", "memory_quarantine", "z", "ledger"]
