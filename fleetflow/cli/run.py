"""`fleetflow run`: the job in the foreground."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from types import FrameType

import click

from fleetflow import application
from fleetflow.builtin.core import RecoverySettings, RunSettings
from fleetflow.config import Configuration
from fleetflow.plugins import Plugins

log = logging.getLogger(__name__)
ATTEMPTS = 3
"""How often a job of several processes is started when one of them fails."""


def environment_of(configuration: Configuration, flags: dict[str, dict[str, object]]) -> dict[str, str]:
    """Return the variables that give a child process the same settings as this one."""
    variables = {"FLEETFLOW_HOME": str(configuration.home)}
    for table, keys in flags.items():
        for key, value in keys.items():
            text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            variables[f"FLEETFLOW_{table}_{key}".upper()] = text
    return variables


@click.command("run")
@click.option("-w", "--workers", type=click.IntRange(1, 64), help="Worker threads per process.")
@click.option("-p", "--processes", type=click.IntRange(1, 64), help="Processes.")
@click.option("--once", is_flag=True, help="End when every source has caught up with what is there.")
@click.pass_context
def run_command(ctx: click.Context, workers: int | None, processes: int | None, once: bool) -> None:
    """Run the job in the foreground, with its recovery store.

    The store is made when it is missing. SIGTERM and Ctrl-C end the job cleanly, after a last snapshot:
    the next run goes on exactly there.
    """
    configuration: Configuration = ctx.obj
    plugins: Plugins = ctx.meta["plugins"]
    plugins.require_sound()
    settings = configuration.table("run", RunSettings)
    recovery = configuration.table("recovery", RecoverySettings)
    store = configuration.path(recovery.dir)
    store.mkdir(parents=True, exist_ok=True)
    workers, processes = settings.size(workers, processes)
    if processes == 1:
        configuration.once = configuration.once or once
        _run_here(plugins, configuration, store, workers, recovery.snapshot_s)
        return
    environment = environment_of(configuration, ctx.meta["fleetflow.flags"])
    root = ctx.find_root()
    if root.params.get("config"):
        environment["FLEETFLOW_CONFIG"] = str(root.params["config"])
    if once:
        environment["FLEETFLOW_ONCE"] = "1"
    code = _run_cluster(workers, processes, store, recovery.snapshot_s, environment)
    if code:
        ctx.exit(code if code > 0 else 128 - code)


def _run_cluster(
    workers: int, processes: int, store: Path, snapshot_s: int, environment: dict[str, str]
) -> int:
    """Run the job in several processes; returns the exit code.

    When one of them fails, all are started again from the last snapshot: now and then the connections
    between Bytewax's processes break on a busy machine ("Send thread panic"), also while they end.
    """
    from fleetflow.cluster import Cluster  # noqa: PLC0415 - only several processes need it

    running: list[Cluster] = []
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        for cluster in running:
            cluster.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    code = 1
    for attempt in range(ATTEMPTS):
        if attempt:
            log.warning("a process ended with code %d: all are started again from the last snapshot", code)
        running[:] = [Cluster(workers, processes, store, snapshot_s, environment)]
        code = running[0].wait()
        if code == 0 or stopped:
            break
    return code


def _run_here(
    plugins: Plugins, configuration: Configuration, store: Path, workers: int, snapshot_s: int
) -> None:
    """Run the job in this process, as bytewax.run would: another one would load everything once more."""
    from datetime import timedelta  # noqa: PLC0415 - only this command needs them

    from bytewax.recovery import RecoveryConfig  # noqa: PLC0415
    from bytewax.run import cli_main  # noqa: PLC0415

    # it would listen on all interfaces
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)
    cli_main(  # type: ignore[no-untyped-call] # Bytewax ships no types for it
        application.prepare(plugins, configuration, store),
        workers_per_process=workers,
        epoch_interval=timedelta(seconds=snapshot_s),
        recovery_config=RecoveryConfig(str(store), timedelta(0)),  # type: ignore[no-untyped-call] # the same
    )
