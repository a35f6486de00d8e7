"""The command line of the benchmarks."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from benchmarks import machine, plot, report
from benchmarks.results import Outcome
from benchmarks.trials import Effort
from benchmarks.works import WORKS, Context

HERE = Path(__file__).parent


def _works(ctx: click.Context, parameter: click.Parameter, value: str) -> list[str]:
    chosen = value.replace(",", " ").split()
    for key in chosen:
        if key not in WORKS:
            raise click.BadParameter(f"{key} is not one of {', '.join(WORKS)}")
    return chosen


@click.command()
@click.option("--long", "long_", is_flag=True, help="The long form: more pings, more runs, no hurry.")
@click.option("--works", default=" ".join(WORKS), callback=_works, help="Which works, such as a,b.")
@click.option("--runs", type=click.IntRange(1, 100), help="Rounds (3, in the long form 5).")
@click.option("--no-install", is_flag=True, help="Install no peers; those that are not there are missing.")
@click.option("--no-peers", is_flag=True, help="fleetflow and the batch scans alone.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=HERE / ".work",
    help="Folder for inputs and peers, kept for the next run (1 GB, in the long form 4 GB).",
)
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=HERE / "results",
    help="Folder for tables and plots.",
)
def main(
    long_: bool,
    works: list[str],
    runs: int | None,
    no_install: bool,
    no_peers: bool,
    work: Path,
    results: Path,
) -> None:
    """Measure fleetflow and its peers on the same work, in turn, and print what came of it.

    Every answer is checked before a time counts. A peer that cannot be installed is told as missing.
    Nothing else should run meanwhile: times are of the clock.
    """
    # terminated, it ends what it started, too
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    console = Console()
    began = time.monotonic()
    effort = Effort(
        rounds=runs or (5 if long_ else 3),
        patience_s=60.0 if long_ else 9.0,
        # one that needs more has lost so clearly that the short form need not wait for it
        timeout_s=3600.0 if long_ else 24.0,
        install=not no_install,
    )

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.0f} s  {text}[/dim]", highlight=False)

    context = Context(work.absolute(), long_, effort, say, peers=not no_peers)
    outcomes: list[Outcome] = []
    form = f"The {'long' if long_ else 'short'} form, {effort.rounds} rounds."
    name = "long" if long_ else "short"
    for key in works:
        outcomes.append(WORKS[key](context))
        report.show(outcomes[-1], console)
        # after each work: what was measured is there even when a later one is interrupted
        files = report.write(results.absolute(), name, outcomes, machine.describe(), form)
    with contextlib.suppress(ImportError):
        files += plot.draw(outcomes, results.absolute())
    say("wrote " + ", ".join(str(file) for file in files))


if __name__ == "__main__":
    main()
