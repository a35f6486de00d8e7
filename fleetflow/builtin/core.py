"""Built-in settings that belong to no single part."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from fleetflow.config import Settings, Words
from fleetflow.plugins import hookimpl


class FlowSettings(Settings):
    """The table [flow]."""

    shards: int = Field(
        8, ge=1, le=4096, description="parts the vehicles are split into; fixed once a job has run"
    )
    batch_bytes: int = Field(
        32 << 20,
        ge=1024,
        description="payload bytes that a source partition emits at once, about",
    )
    conflate_s: float = Field(
        0.03, ge=0, le=10, description="how long the newest ping per vehicle may wait for a newer one"
    )


class RecoverySettings(Settings):
    """The table [recovery]."""

    dir: Path = Field(Path("recovery"), description="folder of the recovery store")
    snapshot_s: int = Field(10, ge=0, description="whole seconds between snapshots")


class PluginsSettings(Settings):
    """The table [plugins]."""

    disabled: Words = Field((), description="names of installed plugins that are not to be used")


class LogSettings(Settings):
    """The table [log]."""

    level: Words = Field(("INFO",), description="level for all, and LOGGER=LEVEL for some")
    format: Literal["text", "json"] = Field("text", description="text for people, json for programs")
    config: str = Field("", description="a file (TOML or JSON) with a dictConfig that replaces all of this")


class RunSettings(Settings):
    """The table [run]."""

    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="worker threads per process of `fleetflow run`; 0: 2, or 1 in each of several processes",
    )
    processes: int = Field(1, ge=1, le=64, description="processes of `fleetflow run`")

    def size(self, workers: int | None = None, processes: int | None = None) -> tuple[int, int]:
        """Return how many workers per process and how many processes to run, by what a command asks for."""
        processes = processes or self.processes
        return workers or self.workers or (2 if processes == 1 else 1), processes


@hookimpl
def fleetflow_settings() -> dict[str, type[BaseModel]]:
    """Return the core's own tables."""
    return {
        "flow": FlowSettings,
        "recovery": RecoverySettings,
        "plugins": PluginsSettings,
        "run": RunSettings,
        "log": LogSettings,
    }
