"""`fleetflow run`: the job in the foreground."""

from __future__ import annotations

import os
import sqlite3
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from fleetflow.cli import several
from fleetflow.cli.loading import begin
from fleetflow.cli.output import print_error
from fleetflow.cli.several import Place
from fleetflow.errors import FleetflowError

if TYPE_CHECKING:
    from bytewax.dataflow import Dataflow

    from fleetflow.config import Configuration

ALONE = Place(0, (), -1)


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
    place = Place.take()
    if place is not None:
        _run(_set_up_as_one_of_several(ctx, place, workers, once))
        return
    if processes is None:
        _, configuration = begin(ctx)
        _, processes = _size(configuration, workers, processes)
    if processes == 1:
        _run(_set_up(ctx, ALONE, workers, once))
        return
    # each of them loads everything: this one need not
    code = several.run(processes, partial(begin, ctx))
    if code:
        ctx.exit(1 if code == several.REFUSED else code if code > 0 else 128 - code)


class _Job(NamedTuple):
    """A job that is about to run in this process."""

    flow: Dataflow
    store: Path
    workers: int
    snapshot_s: int
    place: Place


def _set_up_as_one_of_several(ctx: click.Context, place: Place, workers: int | None, once: bool) -> _Job:
    try:
        return _set_up(ctx, place, workers, once)
    except click.ClickException:
        raise
    # also what a plugin raises that it should not: once, instead of by each process
    except Exception as error:
        if place.is_to_tell():
            debug = ctx.find_root().params.get("debug")
            if isinstance(error, FleetflowError | OSError | sqlite3.Error) and not debug:
                print_error(error)
            else:
                traceback.print_exception(error)
        ctx.exit(several.REFUSED)


def _set_up(ctx: click.Context, place: Place, workers: int | None, once: bool) -> _Job:
    """Load everything and build the flow; the first process makes and locks the store."""
    plugins, configuration = begin(ctx)
    from fleetflow import application  # noqa: PLC0415 - who only starts others needs none of this
    from fleetflow.builtin.core import RecoverySettings  # noqa: PLC0415 - as above

    plugins.require_sound()
    configuration.once = configuration.once or once
    recovery = configuration.table("recovery", RecoverySettings)
    store = configuration.path(recovery.dir)
    store.mkdir(parents=True, exist_ok=True)
    count = max(1, len(place.addresses))
    flow = application.prepare(plugins, configuration, None if place.number else store, connects=count > 1)
    return _Job(flow, store, _size(configuration, workers, count)[0], recovery.snapshot_s, place)


def _size(configuration: Configuration, workers: int | None, processes: int | None) -> tuple[int, int]:
    from fleetflow.builtin.core import RunSettings  # noqa: PLC0415 - as above

    return configuration.table("run", RunSettings).size(workers, processes)


def _run(job: _Job) -> None:
    """Run the job in this process, as bytewax.run would: another one would load everything once more."""
    from datetime import timedelta  # noqa: PLC0415 - as above

    from bytewax.recovery import RecoveryConfig  # noqa: PLC0415 - as above
    from bytewax.run import cli_main  # noqa: PLC0415 - as above

    from fleetflow.rendezvous import wait_for_lower  # noqa: PLC0415 - as above

    # it would listen on all interfaces
    os.environ.pop("BYTEWAX_DATAFLOW_API_ENABLED", None)
    number, addresses = job.place.number, list(job.place.addresses)
    # at the very end: Bytewax connects next
    wait_for_lower(number, addresses)
    cli_main(  # type: ignore[no-untyped-call] # Bytewax ships no types for it
        job.flow,
        workers_per_process=job.workers,
        process_id=number if addresses else None,
        addresses=addresses or None,
        epoch_interval=timedelta(seconds=job.snapshot_s),
        recovery_config=RecoveryConfig(str(job.store), timedelta(0)),  # type: ignore[no-untyped-call] # the same
    )
