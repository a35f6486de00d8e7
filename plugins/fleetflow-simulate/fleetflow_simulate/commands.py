"""`fleetflow simulate alpha|beta`."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetflow.errors import FleetflowError

if TYPE_CHECKING:
    from fleetflow_simulate.fleet import Fleet
    from fleetflow_simulate.misbehave import Misbehaviour
    from fleetflow_simulate.stopping import Stop
    from fleetflow_simulate.story import Story

log = logging.getLogger("fleetflow_simulate")
REPORT_S = 10.0


@click.group("simulate")
def simulate() -> None:
    """Simulate trucks, as files for source alpha or as a web service for source beta."""


def _start(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        start = float(value)
    except ValueError:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise click.BadParameter(
                f'"{value}" is no time, expected seconds since 1970 or an ISO 8601 time'
            ) from error
        start = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(start):
        raise click.BadParameter(f'"{value}" is no time, expected seconds since 1970 or an ISO 8601 time')
    return start


def _speedup(_: click.Context, __: click.Parameter, value: str) -> float:
    if value == "max":
        return math.inf
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise click.BadParameter(f'"{value}" is no speedup, expected a number above 0, or "max"')
    return number


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
        callback=_speedup,
        default="1",
        show_default=True,
        help='Simulated seconds per second; "max" waits for nothing.',
    ),
    click.option(
        "--acceleration",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="How much faster the trucks move than their time stamps say.",
    ),
    click.option(
        "--seed",
        type=int,
        help="The same seed and --start give the same pings.  [default: the last run's, or by chance]",
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


MISBEHAVIOURS = ("late", "repeated", "malformed", "future", "zero")


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def _begin(options: dict[str, Any], state: Path | None, before_s: float = 0.0) -> Story:
    """Return the story of this run: as asked for, or what `state` remembers gone on with, or a new one.

    A new one begins `before_s` before now.
    """
    from fleetflow_simulate import story  # noqa: PLC0415

    seed, start = options["seed"], options["start"]
    if start is None:
        now = round(time.time() - before_s, 3)
        known = story.load(state) if state else None
        if known is not None and seed in (None, known.seed):
            return known.continued(now, options["acceleration"])
        start = now
    seed = time.time_ns() if seed is None else seed
    return story.Story(seed, start, 0.0, options["acceleration"], start)


def _fleet(options: dict[str, Any], told: Story) -> Fleet:
    from fleetflow_simulate.fleet import Fleet  # noqa: PLC0415 - numpy is not needed to print a help text

    return Fleet(
        options["vehicles"],
        told.seed,
        told.start,
        options["interval"],
        options["fault_rate"],
        told.acceleration,
        told.moment,
    )


def _misbehaviour(options: dict[str, Any]) -> Misbehaviour:
    from fleetflow_simulate.misbehave import Misbehaviour  # noqa: PLC0415

    return Misbehaviour(**{name: options[name] for name in MISBEHAVIOURS})


def _run(
    options: dict[str, Any],
    stop: Stop,
    told: Story,
    state: Path | None,
    write: Callable[[float, float], int],
) -> None:
    """Call `write` with each stretch that has passed, until the end or a signal."""
    from fleetflow_simulate import story  # noqa: PLC0415
    from fleetflow_simulate.pace import stretches  # noqa: PLC0415

    vehicles = options["vehicles"]
    rate = vehicles / options["interval"]
    reported, written = time.monotonic(), 0
    for since, until in stretches(
        stop, options["speedup"], options["for_s"], options["pings"], rate, vehicles
    ):
        # before the pings, so that after a kill the next run does not repeat these stamps
        if state:
            story.save(state, replace(told, reached=told.start + until))
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
@click.option("--backfill", is_flag=True, help="Write history up to now, waiting for nothing, and end.")
@click.option("--pings-per-vehicle", type=click.IntRange(1), help="End after so many pings of each truck.")
@click.option("--partial", type=SHARE, default=0.0, help="Share of writes that stop in the middle of a line.")
def alpha(
    folder: Path,
    obd: bool,
    files: int,
    backfill: bool,
    pings_per_vehicle: int | None,
    partial: float,
    **options: Any,
) -> None:
    """Append to DIR/<VIN>.csv, which is made when it is missing.

    Without --start, DIR/.simulate.json remembers where the trucks are, and the next run goes on from there.
    """
    from fleetflow_simulate.alpha import AlphaWriter  # noqa: PLC0415
    from fleetflow_simulate.stopping import Stop  # noqa: PLC0415

    if pings_per_vehicle is not None:
        if options["pings"] is not None:
            raise click.UsageError("--pings and --pings-per-vehicle are two ends, give one of them")
        options["pings"] = pings_per_vehicle * options["vehicles"]
    before_s = 0.0
    if backfill:
        if options["pings"] is None:
            raise click.UsageError(
                "--backfill writes without waiting and needs an end: give --pings or --pings-per-vehicle"
            )
        options["speedup"] = math.inf
        before_s = options["pings"] * options["interval"] / options["vehicles"]
    state = None if options["start"] is not None else folder / ".simulate.json"
    with _told(folder), Stop() as stop:
        told = _begin(options, state, before_s)
        writer = AlphaWriter(
            folder, _fleet(options, told), told.seed, _misbehaviour(options), obd, files, partial, stop.is_set
        )

        def write(since: float, until: float) -> int:
            writer.write(since, until)
            return writer.written

        log.info("writing to %s", folder)
        try:
            _run(options, stop, told, state, write)
        finally:
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
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Remember in this file where the trucks are, and go on from there.",
)
def beta(
    host: str,
    port: int,
    history: int,
    prefill: int,
    restart_every: float | None,
    cut_pages: float,
    error_rate: float,
    state: Path | None,
    **options: Any,
) -> None:
    """Serve GET /pings?since=N&limit=M; the pings go when the program ends, and sequences begin anew."""
    from fleetflow_simulate import beta as service_module  # noqa: PLC0415
    from fleetflow_simulate.stopping import Stop  # noqa: PLC0415

    if state and (options["start"] is not None or prefill):
        raise click.UsageError(
            "--state goes on from where the last run ended, --start and --prefill begin elsewhere: "
            "give the one or the others"
        )
    # history lies before now, so that what follows is live
    ahead = prefill * options["interval"] / options["vehicles"]
    with _told(state or Path()), Stop() as stop:
        told = _begin(options, state, ahead)
        fleet, misbehaviour = _fleet(options, told), _misbehaviour(options)
        service = service_module.BetaService(host, port, history, cut_pages, error_rate)
        service.rng.seed(told.seed)
        written = 0
        last_restart = time.monotonic()

        def append(since: float, until: float) -> None:
            nonlocal written
            pings = fleet.pings(since, until)
            encoded = misbehaviour.spoil(pings, told.seed, service_module.encode, service_module.garble)
            elements = [element for _, element in encoded]
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
        with service:
            log.info("serving %s", service.url)
            _run(options, stop, told, state, write)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell the user, not with a traceback, that files cannot be written."""
    try:
        yield
    except OSError as error:
        raise FleetflowError(
            f"{error.filename or path} cannot be written: {error.strerror or error}",
            "make it writable, free some room, or choose another place",
        ) from error
