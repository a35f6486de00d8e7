"""The whole flow on one screen, in the order in which data moves. Decides nothing."""

from __future__ import annotations

import re

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from fleetflow.builtin.core import FlowSettings, RecoverySettings
from fleetflow.config import Configuration
from fleetflow.contracts.detector import Detector
from fleetflow.contracts.judge import Judge
from fleetflow.contracts.rule import Rule
from fleetflow.contracts.schema import PingSchema
from fleetflow.contracts.sink import Sink
from fleetflow.contracts.source import Source
from fleetflow.dataflow.conflation import Conflator
from fleetflow.dataflow.epochs import Epochs
from fleetflow.dataflow.reading import Reading
from fleetflow.dataflow.shaping import EXTRA_COLUMNS, Splitter, Validator, decode
from fleetflow.dataflow.steps import ConflateLogic, DetectLogic
from fleetflow.dataflow.stop import StopFlag
from fleetflow.dataflow.writing import Recording, Writing, in_order, recorders
from fleetflow.errors import PluginError
from fleetflow.plugins import Plugins

FLOW_ID = "fleetflow"
NAME = re.compile(r"[a-z][a-z0-9_]*")
"""What a source may be called: its name becomes part of a step id, which is stored data."""


def build(
    plugins: Plugins, configuration: Configuration, stop: StopFlag, epoch_s: float | None = None
) -> Dataflow:
    """Wire the dataflow of all active plugins, for epochs of `epoch_s` (None: `[recovery] snapshot_s`).

    Step ids are stored data: `read_<source>`, `detect`, `record`, `conflate`, `write`.
    """
    plugins.require_sound()
    settings = configuration.table("flow", FlowSettings)
    sources = _sources(plugins, configuration)
    schema: PingSchema = plugins.only(
        "fleetflow_schema", "the ping schema", "pip install fleetflow-ping", configuration
    )
    rules: list[Rule] = plugins.gather(
        "fleetflow_rules", "validation rule", lambda rule: rule.name, configuration
    )
    judges = _judges(plugins, configuration, rules)
    detectors: list[Detector] = plugins.gather(
        "fleetflow_detectors", "detector", lambda item: item.name, configuration
    )
    sinks: list[Sink] = plugins.gather("fleetflow_sinks", "sink", lambda sink: sink.name, configuration)
    writers, recording = in_order(sinks), recorders(sinks)
    columns = {**schema.columns, **EXTRA_COLUMNS}
    validate = Validator(rules)
    conflate = not (judges or detectors or recording)
    split = Splitter(settings.shards, conflate=conflate, places=bool(judges))

    flow = Dataflow(FLOW_ID)
    decoded = []
    if epoch_s is None:
        epoch_s = configuration.table("recovery", RecoverySettings).snapshot_s
    epochs = Epochs(epoch_s)
    for source in sources:
        reading = Reading(source, settings.batch_bytes, stop, configuration.once, epochs)
        emitted = op.input(f"read_{source.name}", flow, reading)
        decoded.append(
            op.flat_map_batch(f"decode_{source.name}", emitted, lambda batch: decode(schema, batch))
        )
    shaped = op.merge("merge", *decoded)
    valid = op.map("validate", shaped, validate)
    keyed = op.flat_map("split", valid, split)
    seen = op.stateful_batch(
        "detect", keyed, lambda state: DetectLogic(judges, detectors, state, conflate=not recording)
    )
    op.output("record", seen, Recording(recording, settings.shards))
    latest = op.stateful_batch(
        "conflate",
        seen,
        lambda state: ConflateLogic(Conflator(settings.shards, settings.conflate_s), columns, state),
    )
    op.output("write", latest, Writing(writers, settings.shards))
    return flow


def _judges(plugins: Plugins, configuration: Configuration, rules: list[Rule]) -> list[Judge]:
    judges: list[Judge] = plugins.gather("fleetflow_judges", "judge", lambda judge: judge.name, configuration)
    for name in sorted({judge.name for judge in judges} & {rule.name for rule in rules}):
        raise PluginError(
            f'"{name}" is the name of a validation rule and of a judge', "rename one of them in its plugin"
        )
    return sorted(judges, key=lambda judge: judge.name)


def _sources(plugins: Plugins, configuration: Configuration) -> list[Source]:
    sources: list[Source] = plugins.gather(
        "fleetflow_sources", "source", lambda source: source.name, configuration
    )
    for source in sources:
        if not NAME.fullmatch(source.name):
            raise PluginError(
                f'source "{source.name}" cannot be used: expected a name of small letters, digits and _',
                "rename the source in its plugin",
            )
    if not sources:
        raise PluginError(
            "there is no source to read from",
            "install fleetflow-alpha or fleetflow-beta, or turn one on: [alpha] dir, [beta] url",
        )
    return sorted(sources, key=lambda source: source.name)
