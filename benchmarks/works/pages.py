"""Work c: pages of a web service, read until caught up."""

from __future__ import annotations

import statistics

from benchmarks.contestants.base import PROGRAMS, clean_environment
from benchmarks.contestants.ours import counts, environment
from benchmarks.context import Context
from benchmarks.feeding import wait_for
from benchmarks.measuring import Failed, Usage, run, start, stop
from benchmarks.results import Aim, Outcome

VEHICLES = 1_000


def measure(context: Context) -> Outcome:
    """Measure work c."""
    pings = 2_000_000 if context.long else 500_000
    description = (
        f"{pings:,} pings of {VEHICLES:,} vehicles from a web service in Python on the same cores, "
        "whole process, recovery on, the map durable at the end"
    )
    columns = ["pings a page", "runs", "median (s)", "rate (M pings/s)", "CPU (s)", "peak (MiB)"]
    rows, aims = [], []
    with context.folder() as folder:
        port_file = folder / "port"
        service = start(
            [context.python, str(PROGRAMS / "pages.py"), str(port_file), str(pings), str(VEHICLES)],
            clean_environment(),
            folder,
            folder / "service.log",
        )
        try:
            wait_for(port_file.is_file, 120, "the service", folder / "service.log")
            url = f"http://127.0.0.1:{port_file.read_text('ascii')}/pings"
            for limit in (1_000, 10_000):
                usages: list[Usage] = []
                for number in range(context.effort.rounds):
                    context.say(f"{limit:,} pings a page, round {number + 1}")
                    home = folder / f"{limit}-{number}"
                    home.mkdir()
                    variables = environment(home, "", url, beta_limit=limit)
                    command = [context.python, "-P", "-m", "fleetflow", "run", "--once"]
                    usages.append(run(command, variables, home, home / "log", context.effort.timeout_s))
                    read = counts(home)[0]
                    if read != pings:
                        raise Failed(  # noqa: TRY301
                            f"{read:,} pings were read, expected {pings:,}"
                        )
                middle = statistics.median(usage.wall_s for usage in usages)
                rate = pings / middle
                rows.append(
                    [
                        f"{limit:,}",
                        str(len(usages)),
                        f"{middle:.2f}",
                        f"{rate / 1e6:.2f}",
                        f"{statistics.median(usage.cpu_s for usage in usages):.1f}",
                        f"{max(usage.peak_bytes for usage in usages) / 2**20:.0f}",
                    ]
                )
                aims.append(
                    Aim(f"at least 0.4 M pings/s, {limit:,} a page", f"{rate / 1e6:.2f}", rate >= 400_000)
                )
        except Failed as failed:
            rows.append(["failed", str(failed), "", "", "", ""])
        finally:
            stop(service)
    return Outcome("c", "Pages", description, columns=columns, rows=rows, aims=aims)
