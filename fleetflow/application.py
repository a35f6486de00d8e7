"""One process of fleetflow: its plugins and its configuration, loaded in the right order."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetflow import config, logs, plugins
from fleetflow.builtin.core import PluginsSettings
from fleetflow.config import Configuration
from fleetflow.plugins import Plugins
from fleetflow.rendezvous import wait_for_lower

if TYPE_CHECKING:
    from bytewax.dataflow import Dataflow

log = logging.getLogger(__name__)


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Plugins, Configuration]:
    """Load plugins, then the settings they define.

    Which plugins are disabled is itself a setting, so that one is read first, without the others' tables.
    """
    # the allocator that Polars brings gives freed blocks back after half a second, only to ask for them again
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000")
    everything = plugins.load()
    models = everything.mapping("fleetflow_settings", "settings table")
    configuration = config.load(models, file, environment, flags)
    disabled = configuration.table("plugins", PluginsSettings).disabled
    return (plugins.load(disabled) if disabled else everything), configuration


def bare_flow() -> Dataflow:
    """Build the flow for `python -m bytewax.run fleetflow:flow`: logging, signals and store included.

    A recovery store named by `-r` (or BYTEWAX_RECOVERY_DIRECTORY) is made when it is missing, and locked
    by the first process of a cluster.
    """
    active, configuration = load()
    logs.configure(configuration)
    store, number, addresses, epoch_s = _bytewax_arguments()
    flow = prepare(active, configuration, None if number else store, epoch_s, connects=len(addresses) > 1)
    # at the very end: Bytewax connects next
    wait_for_lower(number, addresses)
    return flow


def prepare(
    active: Plugins,
    configuration: Configuration,
    store: Path | None,
    epoch_s: float | None = None,
    connects: bool = False,
) -> Dataflow:
    """Build the flow that this process is about to run: stopped by signals, its `store` made and locked.

    `epoch_s` is the snapshot interval, that of `[recovery]` if there is none. `connects` tells that there are
    other processes to connect with before it runs.
    """
    from fleetflow.dataflow.stop import StopFlag  # noqa: PLC0415 - for jobs
    from fleetflow.dataflow.wiring import build  # noqa: PLC0415 - for jobs
    from fleetflow.ledger.settings import LedgerSettings  # noqa: PLC0415 - keeps other commands quick
    from fleetflow.memory import SELDOM, keep_freed_blocks, keep_loaded  # noqa: PLC0415 - for jobs
    from fleetflow.native.library import library  # noqa: PLC0415 - loads numpy, which only a job needs
    from fleetflow.recovery import StoreLock, ensure_store  # noqa: PLC0415 - for jobs
    from fleetflow.timers import wake_together  # noqa: PLC0415 - as above

    keep_freed_blocks()
    wake_together()
    if library() is None:
        log.info("pings are read in Python, which takes longer: nothing was compiled, or it is switched off")
    stop = StopFlag()
    flow = build(active, configuration, stop, epoch_s)
    if store is not None:
        ensure_store(store)
        StoreLock(store).acquire()
        if any(info.name == "ledger" and info.state == "active" for info in active.infos):
            ledger = configuration.path(configuration.table("ledger", LedgerSettings).dir)
            StoreLock(ledger, "ledger", "ledger").acquire()
    stop.set_on_signals(connects)
    keep_loaded(SELDOM)
    return flow


def _bytewax_arguments() -> tuple[Path | None, int, list[str], float]:
    """Return what bytewax.run was given: recovery folder, number and addresses of the processes, interval.

    The flow is built before Bytewax opens the store, and this is the only way to learn its place in time.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-r", "--recovery-directory", default=os.environ.get("BYTEWAX_RECOVERY_DIRECTORY"))
    parser.add_argument("-i", "--process-id", default=os.environ.get("BYTEWAX_PROCESS_ID"))
    parser.add_argument("-a", "--addresses", default=os.environ.get("BYTEWAX_ADDRESSES"))
    interval = os.environ.get("BYTEWAX_SNAPSHOT_INTERVAL")
    parser.add_argument("-s", "--snapshot-interval", default=interval)
    known, _ = parser.parse_known_args(sys.argv[1:])
    store = Path(known.recovery_directory) if known.recovery_directory else None
    addresses = (known.addresses or "").split(";")
    try:
        # as bytewax.run does without one
        epoch_s = float(known.snapshot_interval or 10)
        number = int(known.process_id or 0)
    except ValueError:
        # bytewax.run says so
        epoch_s, number = 0.0, 1
    return store, number, addresses, epoch_s
