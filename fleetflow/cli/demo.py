"""`fleetflow demo`: simulators, job and dashboard together, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from fleetflow.cli.loading import environment_of
from fleetflow.errors import FleetflowError, PluginError

if TYPE_CHECKING:
    from fleetflow.config import Configuration
    from fleetflow.plugins import Plugins

PATIENCE_S = 2.5
"""How long the parts may take to end before they are killed; Ctrl-C promises an end within 3 s."""
TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the demo."""

    name: str
    arguments: tuple[str, ...]


@click.command("demo")
@click.option("--for", "for_s", type=click.FloatRange(min=1), metavar="SECONDS", help="End by itself.")
@click.option(
    "--vehicles", type=click.IntRange(1, 100_000), default=30, show_default=True, help="Per source."
)
@click.option(
    "--acceleration",
    type=click.FloatRange(min=1),
    default=20,
    show_default=True,
    help="How much faster than in life the trucks move, so that one sees it on a map of half a country.",
)
@click.option("--workers", "-w", type=click.IntRange(1, 64), default=2, show_default=True)
@click.pass_context
def demo_command(
    ctx: click.Context, for_s: float | None, vehicles: int, acceleration: float, workers: int
) -> None:
    """Run simulators for both sources, the job with its recovery store, and the dashboard.

    One line per second says what flows. A second demo goes on where the first one stopped. The parts'
    logs are in data/demo.
    """
    configuration: Configuration = ctx.obj
    plugins: Plugins = ctx.meta["plugins"]
    plugins.require_sound()
    tables = configuration.as_dict()
    for table in ("alpha", "beta", "vehicles", "ui"):
        if table not in tables:
            raise PluginError(
                f'the demo needs the plugin "{table}", it is not installed or disabled',
                f"pip install fleetflow-{table}",
            )
    beta_urls = tables["beta"]["url"] or ["http://localhost:8000/pings"]
    beta_port = urlsplit(beta_urls[0]).port or 80
    ui_port = int(tables["ui"]["port"])
    _require_free(beta_port, "the beta simulator", "FLEETFLOW_BETA_URL=http://localhost:8001/pings")
    _require_free(ui_port, "the dashboard", "FLEETFLOW_UI_PORT=5007")
    common = ("--vehicles", str(vehicles), "--acceleration", str(acceleration), "--interval", "2")
    parts = [
        Part("alpha", ("simulate", "alpha", "--dir", str(tables["alpha"]["dir"]), "--seed", "1", *common)),
        Part("beta", ("simulate", "beta", "--port", str(beta_port), "--seed", "2", *common)),
        Part("job", ("run", "-w", str(workers))),
        Part("dashboard", ("ui", "--port", str(ui_port))),
    ]
    click.echo(f"dashboard: http://localhost:{ui_port}/dashboard    stop with Ctrl-C")
    environment = {**os.environ, **environment_of(configuration, ctx.meta["fleetflow.flags"])}
    ctx.exit(_run(parts, environment, _Watch(plugins, configuration), configuration.path("data/demo"), for_s))


def _require_free(port: int, what: str, remedy: str) -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"),):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise FleetflowError(
                    f"port {port} on {address}, which {what} needs, cannot be used: {error.strerror}",
                    f"stop the program that uses it, or choose another one: {remedy}",
                ) from error


class _Watch:
    """Reads what flows from the ledger and the vehicles map, as any other reader would."""

    def __init__(self, plugins: Plugins, configuration: Configuration) -> None:
        from fleetflow.ledger.reader import Ledger  # noqa: PLC0415 - only the demo needs it

        self._ledger = Ledger.of(configuration)
        self._vehicles = plugins.only(
            "fleetflow_vehicles_map", "the vehicles map", "pip install fleetflow-vehicles", configuration
        )
        self._before: Mapping[str, int] = {}
        self._at = time.monotonic()

    def line(self) -> str:
        """Return one line of what flowed since the last call."""
        counts = self._ledger.counts()
        now = time.monotonic()
        passed = max(1e-3, now - self._at)
        rates = [
            f"{source} {max(0, count.read - self._before.get(source, 0)) / passed:,.0f} pings/s"
            for source, count in sorted(counts.items())
            if count.read
        ]
        self._before = {source: count.read for source, count in counts.items()}
        self._at = now
        lag = self._ledger.lag_s()
        return "  ".join(
            [
                time.strftime("%H:%M:%S"),
                *(rates or ["no pings yet"]),
                f"vehicles {self._vehicles.count():,}",
                f"rejects {sum(count.quarantined for count in counts.values()):,}",
                "lag -" if lag is None else f"lag {lag:.1f} s",
            ]
        )

    def summary(self) -> str:
        """Return what is in the map, by source."""
        sources: dict[str, int] = {}
        for record in self._vehicles.records():
            sources[record["source"]] = sources.get(record["source"], 0) + 1
        found = ", ".join(f"{count} from {source}" for source, count in sorted(sources.items()))
        return f"{sum(sources.values())} vehicles: {found or 'none'}"


def _run(
    parts: Sequence[Part], environment: Mapping[str, str], watch: _Watch, folder: Path, for_s: float | None
) -> int:
    from fleetflow import processes  # noqa: PLC0415 - only commands that start something need it

    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    failed: tuple[Part, int] | None = None
    running: dict[Part, subprocess.Popen[Any]] = {}
    end = None if for_s is None else time.monotonic() + for_s
    with ExitStack() as logs:
        try:
            for part in parts:
                log = logs.enter_context((folder / f"{part.name}.log").open("wb"))
                command = [sys.executable, "-P", "-m", "fleetflow", *part.arguments]
                running[part] = processes.start(command, environment, log)
            while not stop.wait(1.0) and (end is None or time.monotonic() < end):
                click.echo(watch.line())
                failed = next(
                    (
                        (part, process.returncode)
                        for part, process in running.items()
                        if process.poll() is not None
                    ),
                    None,
                )
                if failed:
                    break
        finally:
            codes = processes.stop_all(list(running.values()), PATIENCE_S)
    if failed is None:
        failed = next(((part, code) for part, code in zip(running, codes, strict=True) if code != 0), None)
    if failed is not None:
        part, code = failed
        tail = (folder / f"{part.name}.log").read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        click.echo(f"error: the {part.name} ended with code {code}; the end of its log:", err=True)
        click.echo("\n".join(tail), err=True)
        return 1
    click.echo(watch.summary())
    return 0
