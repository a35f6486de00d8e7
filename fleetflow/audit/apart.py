"""Running a job's flow with its outputs kept apart, in this process.

Nothing is redirected by settings, which could be incomplete: the sinks of the plugins are never asked for,
so that whatever they would write cannot be written. What the flow makes goes to the sinks that are given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from fleetflow.config import Configuration
from fleetflow.contracts.sink import Sink
from fleetflow.dataflow.stop import StopFlag
from fleetflow.errors import FleetflowError
from fleetflow.plugins import Plugins
from fleetflow.recovery import StoreLock, ensure_store

T = TypeVar("T")


class Apart(Plugins):
    """All plugins of a process, with other sinks in place of theirs.

    `sources` None means all of them; without `detectors` there are none.
    """

    def __init__(
        self,
        active: Plugins,
        sinks: Sequence[Sink],
        sources: Collection[str] | None = None,
        detectors: bool = True,
    ) -> None:
        self.infos = active.infos
        self._active = active
        self._sinks = list(sinks)
        self._sources = sources
        self._detectors = detectors

    def gather(
        self, hook: str, what: str, key: Callable[[T], str], configuration: Configuration | None = None
    ) -> list[T]:
        """Return what the plugins answer, but for sinks; detectors and sources as far as wanted."""
        if hook == "fleetflow_sinks":
            given: list[Any] = self._sinks
            return given
        if hook == "fleetflow_detectors" and not self._detectors:
            return []
        found = self._active.gather(hook, what, key, configuration)
        if hook != "fleetflow_sources" or self._sources is None:
            return found
        names = {key(each) for each in found}
        unknown = set(self._sources) - names
        if unknown:
            raise FleetflowError(
                f"there is no source {', '.join(sorted(unknown))}", f"there are {', '.join(sorted(names))}"
            )
        return [each for each in found if key(each) in self._sources]

    def at_most_one(self, hook: str, what: str, configuration: Configuration) -> Any | None:
        """Return the one answer of the plugins."""
        return self._active.at_most_one(hook, what, configuration)


def run(
    plugins: Plugins,
    configuration: Configuration,
    recovery: Path,
    workers: int = 1,
    snapshot_s: int = 1,
    longest_s: float | None = None,
    stop: StopFlag | None = None,
) -> None:
    """Run the flow until every source has caught up, on a store of its own.

    It also ends, cleanly, after `longest_s` seconds and when `stop` is set.
    """
    from bytewax.recovery import RecoveryConfig  # noqa: PLC0415 - slow to import
    from bytewax.run import cli_main  # noqa: PLC0415

    from fleetflow.dataflow.wiring import build  # noqa: PLC0415

    configuration.once = True
    stop = stop or StopFlag()
    flow = build(plugins, configuration, stop, snapshot_s)
    ensure_store(recovery)
    lock = StoreLock(recovery)
    lock.acquire()
    timer = threading.Timer(longest_s, stop.set) if longest_s is not None else None
    stop.set_on_signals()
    try:
        if timer is not None:
            timer.daemon = True
            timer.start()
        cli_main(  # type: ignore[no-untyped-call] # Bytewax ships no types for it
            flow,
            workers_per_process=workers,
            epoch_interval=timedelta(seconds=snapshot_s),
            recovery_config=RecoveryConfig(str(recovery), timedelta(0)),  # type: ignore[no-untyped-call] # the same
        )
    finally:
        if timer is not None:
            timer.cancel()
        lock.release()
