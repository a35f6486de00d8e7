"""`fleetflow simulate alpha|beta`."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click

log = logging.getLogger("fleetflow_simulate")
REPORT_S = 10.0


@click.group("simulate")
def simulate() -> None:
    """Simulate trucks, as files for source alpha or as a web service for source beta."""


def _start(_: click.Context, __: click.Parameter, value: str | None) -> float:
    if value is None:
        return round(time.time(), 3)
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("expected seconds since 1970 or an ISO 8601 time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


SHARE = click.FloatRange(0, 1)
OPTIONS = (
    click.option(
        "--vehicles", type=click.IntRange(1), default=30, show_default=True, help="How many trucks."
    ),
    click.option(
        "--interval",
        type=click.FloatRange(0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="Simulated seconds between the pings of a truck.",
    ),
    click.option(
        "--speedup",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="Simulated seconds per second.",
    ),
    click.option(
        "--acceleration",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="How much faster the trucks move than their time stamps say.",
    ),
    click.option(
        "--seed", type=int, help="The same seed and --start give the same pings.  [default: by chance]"
    ),
    click.option(
        "--start", callback=_start, help="First time stamp: ISO 8601, or seconds since 1970.  [default: now]"
    ),
    click.option(
        "--fault-rate",
        type=click.FloatRange(0),
        default=0.05,
        show_default=True,
        help="Faults per truck and hour of driving; one in a hundred is a crash.",
    ),
    click.option(
        "--for", "for_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="End after that."
    ),
    click.option("--pings", type=click.IntRange(1), help="End after so many pings of all trucks together."),
    click.option("--late", type=SHARE, default=0.0, help="Share of pings that come with an older time."),
    click.option("--repeated", type=SHARE, default=0.0, help="Share of pings that come twice."),
    click.option("--malformed", type=SHARE, default=0.0, help="Share of pings with a word for a number."),
    click.option("--future", type=SHARE, default=0.0, help="Share of pings from three days ahead."),
    click.option("--zero", type=SHARE, default=0.0, help="Share of pings at 0,0."),
)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def _make(options: dict[str, Any]) -> tuple[Any, Any, int]:
    from fleetflow_simulate.fleet import Fleet  # noqa: PLC0415 - numpy is not needed to print a help text
    from fleetflow_simulate.misbehave import Misbehaviour  # noqa: PLC0415

    seed = options["seed"] if options["seed"] is not None else time.time_ns()
    fleet = Fleet(
        options["vehicles"],
        seed,
        options["start"],
        options["interval"],
        options["fault_rate"],
        options["acceleration"],
    )
    names = ("late", "repeated", "malformed", "future", "zero")
    return fleet, Misbehaviour(**{name: options[name] for name in names}), seed


def _run(options: dict[str, Any], write: Callable[[float, float], int], backfill: bool = False) -> None:
    """Call `write` with each stretch that has passed, until the end or a signal."""
    from fleetflow_simulate.pace import stretches  # noqa: PLC0415

    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    rate = options["vehicles"] / options["interval"]
    reported, written = time.monotonic(), 0
    for since, until in stretches(
        stop, options["speedup"], options["for_s"], options["pings"], rate, options["vehicles"], backfill
    ):
        written = write(since, until)
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            log.info("%s pings so far", f"{written:,}")
    log.info("%s pings", f"{written:,}")


@simulate.command("alpha")
@_common
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("data/alpha"), show_default=True
)
@click.option("--obd/--no-obd", default=True, show_default=True, help="Write codes as a fifth column.")
@click.option(
    "--files",
    type=click.IntRange(0),
    default=0,
    help="Write so many files in order of time, not one per truck.",
)
@click.option("--backfill", is_flag=True, help="Wait for nothing; needs --pings.")
@click.option("--partial", type=SHARE, default=0.0, help="Share of writes that stop in the middle of a line.")
def alpha(folder: Path, obd: bool, files: int, backfill: bool, partial: float, **options: Any) -> None:
    """Append to DIR/<VIN>.csv, which is made when it is missing."""
    from fleetflow_simulate.alpha import AlphaWriter  # noqa: PLC0415

    if backfill and options["pings"] is None:
        raise click.UsageError("--backfill writes without waiting and needs an end: give --pings")
    fleet, misbehaviour, seed = _make(options)
    writer = AlphaWriter(folder, fleet, seed, misbehaviour, obd, files, partial)

    def write(since: float, until: float) -> int:
        writer.write(since, until)
        return writer.written

    _run(options, write, backfill)
    writer.finish()


@simulate.command("beta")
@_common
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--history", type=click.IntRange(1), default=120_000, show_default=True, help="Pings that are kept."
)
@click.option("--prefill", type=click.IntRange(0), default=0, help="Pings that are there from the beginning.")
@click.option(
    "--restart-every",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Start again at sequence 0.",
)
@click.option("--cut-pages", type=SHARE, default=0.0, help="Share of answers that are cut off.")
@click.option("--error-rate", type=SHARE, default=0.0, help="Share of answers that are errors.")
def beta(
    host: str,
    port: int,
    history: int,
    prefill: int,
    restart_every: float | None,
    cut_pages: float,
    error_rate: float,
    **options: Any,
) -> None:
    """Serve GET /pings?since=N&limit=M."""
    from fleetflow_simulate import beta as service_module  # noqa: PLC0415

    fleet, misbehaviour, seed = _make(options)
    service = service_module.BetaService(host, port, history, cut_pages, error_rate)
    service.rng.seed(seed)
    written = 0
    ahead = prefill * options["interval"] / options["vehicles"]
    # history lies before the start, so that what follows is live
    fleet.start -= ahead
    last_restart = time.monotonic()

    def append(since: float, until: float) -> None:
        nonlocal written
        elements = [
            element
            for _, element in misbehaviour.spoil(
                fleet.pings(since, until), seed, service_module.encode, service_module.garble
            )
        ]
        service.append(elements)
        written += len(elements)

    def write(since: float, until: float) -> int:
        nonlocal last_restart
        append(since + ahead, until + ahead)
        if restart_every is not None and time.monotonic() - last_restart >= restart_every:
            last_restart = time.monotonic()
            service.restart()
            log.info("restarted: sequences start at 0 again")
        return written

    if prefill:
        append(0.0, ahead)
    service.start()
    log.info("serving %s", service.url)
    try:
        _run(options, write)
    finally:
        service.stop()
