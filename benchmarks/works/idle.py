"""Work g: a small fleet reports now and then; what does the job take with nearly nothing to do?"""

from __future__ import annotations

import time

from benchmarks.context import Context
from benchmarks.feeding import Feed, running
from benchmarks.measuring import Failed, Tree
from benchmarks.results import Aim, Outcome

VEHICLES_PER_SOURCE = 30
EVERY_S = 10.0
SETTLE_S = 5.0
"""What starting takes must be over."""


def measure(context: Context) -> Outcome:
    """Measure work g."""
    seconds = 60.0 if context.long else 20.0
    rate = VEHICLES_PER_SOURCE / EVERY_S
    feed = Feed(rate, rate, VEHICLES_PER_SOURCE, SETTLE_S + seconds)
    description = (
        f"{2 * VEHICLES_PER_SOURCE} vehicles, half in files, half from a web service, each with a ping every "
        f"{EVERY_S:.0f} s; CPU of all processes of the job, for {seconds:.0f} s"
    )
    columns = ["job", "CPU (% of one core)", "memory (MiB)"]
    context.say(f"idle, {seconds:.0f} s")
    try:
        with context.folder() as folder, running(context, folder, feed) as live:
            live.go()
            # this is a measurement over time: there is no condition to wait for
            time.sleep(SETTLE_S)
            tree = Tree(live.pid)
            tree.sample()
            before_s, began = tree.cpu_s, time.monotonic()
            time.sleep(seconds)
            tree.sample()
            share = (tree.cpu_s - before_s) / (time.monotonic() - began)
    except Failed as failed:
        return Outcome("g", "Idle", description, columns=columns, rows=[["failed", str(failed), ""]])
    return Outcome(
        "g",
        "Idle",
        description,
        columns=columns,
        rows=[["fleetflow", f"{share:.1%}", f"{tree.peak_bytes / 2**20:.0f}"]],
        aims=[Aim("under 2 % of one core", f"{share:.1%}", share < 0.02)],
    )
