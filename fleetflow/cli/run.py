"""`fleetflow run`: the job in the foreground."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from fleetflow.cli.loading import begin
from fleetflow.errors import FleetflowError

if TYPE_CHECKING:
    from bytewax.dataflow import Dataflow

    from fleetflow.config import Configuration
    from fleetflow.plugins import Plugins

log = logging.getLogger(__name__)
ATTEMPTS = 3
"""How often a job of several processes is started when one of them fails."""
REFUSED = os.EX_CONFIG
"""How a process of several ends that cannot be set up: starting it again would not help."""


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
@click.option("--number", type=click.IntRange(0), hidden=True)
@click.option("--address", "addresses", multiple=True, hidden=True)
@click.pass_context
def run_command(
    ctx: click.Context,
    workers: int | None,
    processes: int | None,
    once: bool,
    number: int | None,
    addresses: tuple[str, ...],
) -> None:
    """Run the job in the foreground, with its recovery store.

    The store is made when it is missing. SIGTERM and Ctrl-C end the job cleanly, after a last snapshot:
    the next run goes on exactly there.
    """
    if number is not None:
        _run_as_one_of_several(ctx, workers, once, number, addresses)
        return
    if processes is None or processes == 1:
        plugins, configuration = begin(ctx)
        plugins.require_sound()
        _, processes = _size(configuration, workers, processes)
        if processes == 1:
            _run(_set_up(plugins, configuration, workers, once))
            return
    # each of them loads everything: this one need not, unless there is something to tell
    code = _run_cluster(ctx, processes)
    if code == REFUSED:
        _tell_why(ctx, workers, once)
    if code:
        ctx.exit(code if code > 0 else 128 - code)


def _run_cluster(ctx: click.Context, processes: int) -> int:
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
            begin(ctx)
            log.warning("a process ended with code %d: all are started again from the last snapshot", code)
        running[:] = [Cluster(_command, processes, {})]
        code = running[0].wait(REFUSED)
        if code in (0, REFUSED) or stopped:
            break
    return code


def _command(number: int, addresses: Sequence[str]) -> list[str]:
    """Return the command line of one process of several: the one of this process, and which one it is.

    `-P` keeps the current folder from shadowing installed packages.
    """
    own = [sys.executable, "-P", "-m", "fleetflow", *sys.argv[1:]]
    return [
        *own,
        "--number",
        str(number),
        *(part for address in addresses for part in ("--address", address)),
    ]


def _run_as_one_of_several(
    ctx: click.Context, workers: int | None, once: bool, number: int, addresses: Sequence[str]
) -> None:
    try:
        plugins, configuration = begin(ctx)
        plugins.require_sound()
        job = _set_up(plugins, configuration, workers, once, number, addresses)
    except (FleetflowError, OSError, sqlite3.Error):
        # all processes meet the same: the one that started them says so, once
        ctx.exit(REFUSED)
    _run(job)


def _tell_why(ctx: click.Context, workers: int | None, once: bool) -> NoReturn:
    """Raise what the processes met that could not be set up."""
    plugins, configuration = begin(ctx)
    plugins.require_sound()
    _set_up(plugins, configuration, workers, once)
    raise FleetflowError(
        "a process of several could not be set up, and a moment later this one could",
        "start the job again; if that does not help, with one process: -p 1",
    )


class _Job(NamedTuple):
    """A job that is about to run in this process."""

    flow: Dataflow
    store: Path
    workers: int
    snapshot_s: int
    number: int
    addresses: Sequence[str]


def _size(configuration: Configuration, workers: int | None, processes: int | None) -> tuple[int, int]:
    from fleetflow.builtin.core import RunSettings  # noqa: PLC0415 - loads what settings need

    return configuration.table("run", RunSettings).size(workers, processes)


def _set_up(
    plugins: Plugins,
    configuration: Configuration,
    workers: int | None,
    once: bool,
    number: int = 0,
    addresses: Sequence[str] = (),
) -> _Job:
    """Build the flow, make and lock its store."""
    from fleetflow import application  # noqa: PLC0415 - who only starts others needs none of this
    from fleetflow.builtin.core import RecoverySettings  # noqa: PLC0415

    configuration.once = configuration.once or once
    recovery = configuration.table("recovery", RecoverySettings)
    store = configuration.path(recovery.dir)
    store.mkdir(parents=True, exist_ok=True)
    workers, _ = _size(configuration, workers, max(1, len(addresses)))
    # the first process makes and locks it
    flow = application.prepare(plugins, configuration, None if number else store)
    return _Job(flow, store, workers, recovery.snapshot_s, number, addresses)


def _run(job: _Job) -> None:
    """Run the job in this process, as bytewax.run would: another one would load everything once more."""
    from datetime import timedelta  # noqa: PLC0415 - as above

    from bytewax.recovery import RecoveryConfig  # noqa: PLC0415
    from bytewax.run import cli_main  # noqa: PLC0415

    from fleetflow.rendezvous import wait_for_lower  # noqa: PLC0415

    # it would listen on all interfaces
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)
    # at the very end: Bytewax connects next
    wait_for_lower(job.number, job.addresses)
    cli_main(  # type: ignore[no-untyped-call] # Bytewax ships no types for it
        job.flow,
        workers_per_process=job.workers,
        process_id=job.number if job.addresses else None,
        addresses=list(job.addresses) or None,
        epoch_interval=timedelta(seconds=job.snapshot_s),
        recovery_config=RecoveryConfig(str(job.store), timedelta(0)),  # type: ignore[no-untyped-call] # the same
    )
