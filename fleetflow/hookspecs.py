"""The hooks of fleetflow, and thereby everything that a plugin can add.

A plugin is a module (or object) with functions marked by `fleetflow.plugins.hookimpl`, made known by an
entry point in the group `fleetflow`. The built-in parts are registered in the same way. Every hook is
called once per process, when its answer is first needed, with the configuration as it was loaded
(`fleetflow.config.Configuration`), except `fleetflow_settings`, which is called before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click
    from pydantic import BaseModel

    from fleetflow.config import Configuration
    from fleetflow.contracts.detector import Detector
    from fleetflow.contracts.history import History
    from fleetflow.contracts.judge import Judge
    from fleetflow.contracts.notifier import Notifier
    from fleetflow.contracts.page import Page
    from fleetflow.contracts.query import Query
    from fleetflow.contracts.rule import Rule
    from fleetflow.contracts.schema import Migration, PingSchema
    from fleetflow.contracts.sink import Sink
    from fleetflow.contracts.source import Source
    from fleetflow.contracts.vehicles import VehiclesMap

hookspec = pluggy.HookspecMarker("fleetflow")


@hookspec
def fleetflow_settings() -> Mapping[str, type[BaseModel]]:  # type: ignore[empty-body]
    """Return the plugin's tables of settings: table name to model.

    Fires first, before any configuration is read. `{"alpha": AlphaSettings}` makes `[alpha] dir` in
    `fleetflow.toml` and `FLEETFLOW_ALPHA_DIR`. Every field needs a default and a description. Two
    plugins that claim one table are refused.
    """


@hookspec
def fleetflow_sources(configuration: Configuration) -> Sequence[Source]:  # type: ignore[empty-body]
    """Return the sources to read from; an empty list when they are turned off by configuration.

    Fires when the dataflow is built, and when positions are shown. Two sources of one name are refused.
    """


@hookspec
def fleetflow_schema(configuration: Configuration) -> PingSchema:  # type: ignore[empty-body]
    """Return the ping schema. Exactly one plugin must: none or two are refused.

    Fires when the dataflow is built, and when a savepoint is checked.
    """


@hookspec
def fleetflow_rules(configuration: Configuration) -> Sequence[Rule]:  # type: ignore[empty-body]
    """Return validation rules. Fires when the dataflow is built. Two rules of one name are refused."""


@hookspec
def fleetflow_judges(configuration: Configuration) -> Sequence[Judge]:  # type: ignore[empty-body]
    """Return validation rules with state per vehicle. Fires when the dataflow is built.

    They judge in order of name what the rules of `fleetflow_rules` let through. Two judges of one name, or a
    judge with the name of a rule, are refused.
    """


@hookspec
def fleetflow_detectors(configuration: Configuration) -> Sequence[Detector]:  # type: ignore[empty-body]
    """Return detectors. Fires when the dataflow is built. Two detectors of one name are refused."""


@hookspec
def fleetflow_sinks(configuration: Configuration) -> Sequence[Sink]:  # type: ignore[empty-body]
    """Return sinks. Fires when the dataflow is built.

    Exactly one sink must have the role `pings`, and exactly one the role `rejects`. Two sinks of one name
    are refused.
    """


@hookspec
def fleetflow_notifiers(configuration: Configuration) -> Sequence[Notifier]:  # type: ignore[empty-body]
    """Return notifiers for events. Fires in each process that writes events, when it starts to.

    Two notifiers of one name are refused.
    """


@hookspec
def fleetflow_vehicles_map(configuration: Configuration) -> VehiclesMap:  # type: ignore[empty-body]
    """Open the vehicles map for reading, from any process. Exactly one plugin must offer it.

    Fires when the command line or the dashboard needs the map; a map that does not exist yet is opened
    as an empty one.
    """


@hookspec
def fleetflow_history(configuration: Configuration) -> History:  # type: ignore[empty-body]
    """Open the archive of pings for reading, from any process. At most one plugin may offer one.

    Fires when the command line or the dashboard needs it; one that does not exist yet is opened as an empty
    one.
    """


@hookspec
def fleetflow_query(configuration: Configuration) -> Query:  # type: ignore[empty-body]
    """Open what answers questions to the stores. At most one plugin may offer it.

    Fires when the command line or the dashboard needs it.
    """


@hookspec
def fleetflow_migrations() -> Sequence[Migration]:  # type: ignore[empty-body]
    """Return steps that turn stored records of an older schema into the next version.

    Fires when records are read. Two migrations of one schema and version are refused.
    """


@hookspec
def fleetflow_commands() -> Sequence[click.Command]:  # type: ignore[empty-body]
    """Return commands for the `fleetflow` command line. Fires when it starts.

    Two commands of one name are refused. Keep the imports inside the commands: this fires for every
    call of the command line.
    """


@hookspec
def fleetflow_pages(configuration: Configuration) -> Sequence[Page]:  # type: ignore[empty-body]
    """Return pages of the dashboard. Fires when the dashboard starts. Two pages of one URL are refused."""
