"""Work h: a job is started again; how long until the first new ping can be read?"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from benchmarks import inputs
from benchmarks.contestants.ours import environment
from benchmarks.context import Context
from benchmarks.feeding import wait_for
from benchmarks.inputs import Shape, vin
from benchmarks.measuring import Failed, run, start, stop, tail
from benchmarks.results import Aim, Outcome

KNOWN = Shape(200_000, 100_000, 8, "time")
TIMES = 5


def measure(context: Context) -> Outcome:
    """Measure work h."""
    description = (
        f"a job with {KNOWN.vehicles:,} known vehicles in {KNOWN.files} files is started with one new line in "  # noqa: E501
        "one of them; from the start of the process to the record being readable"
    )
    columns = ["ended before by", "runs", "least (s)", "median (s)", "most (s)"]
    rows, aims = [], []
    try:
        with context.folder() as folder:
            given = inputs.make(KNOWN, context.work)
            alpha = folder / "alpha"
            shutil.copytree(given.directory, alpha)
            context.say("restart: first run")
            command = [context.python, "-P", "-m", "fleetflow", "run"]
            variables = environment(folder, alpha)
            run([*command, "--once"], variables, folder, folder / "log", context.effort.timeout_s)
            moment = inputs.EPOCH + 1e6
            for killed, name in ((False, "a clean stop"), (True, "kill -9")):
                times = []
                for number in range(TIMES + 1):
                    context.say(f"restart after {name}")
                    moment += 1
                    seconds = _restart(command, variables, folder, alpha, moment, killed)
                    # the first one still follows what came before
                    if number:
                        times.append(seconds)
                middle = statistics.median(times)
                rows.append([name, str(TIMES), f"{min(times):.2f}", f"{middle:.2f}", f"{max(times):.2f}"])
                aims.append(Aim(f"under 1.5 s after {name}", f"{middle:.2f} s", middle < 1.5))
    except Failed as failed:
        rows.append(["failed", str(failed), "", "", ""])
    return Outcome("h", "Restart", description, columns=columns, rows=rows, aims=aims)


def _restart(
    command: list[str], variables: dict[str, str], folder: Path, alpha: Path, moment: float, kill: bool
) -> float:
    from fleetflow_vehicles.vehicles import Vehicles  # noqa: PLC0415 - needed here alone

    with (alpha / "feed-0.csv").open("a", encoding="utf-8") as file:
        file.write(f"{vin(0)},48.1,11.5,{moment}\n")
    with Vehicles(folder / "data" / "vehicles") as vehicles:
        began = time.perf_counter()
        job = start(command, variables, folder, folder / "log")
        try:
            while (vehicles.get(vin(0)) or {}).get("time") != moment:
                if time.perf_counter() - began > 60:
                    raise Failed(f"the ping was not there after 60 s: {tail(folder / 'log')}")
                time.sleep(0.005)
            seconds = time.perf_counter() - began
        finally:
            if kill:
                job.kill()
                job.wait()
                # the job itself is a child, which is told to end when its parent does
                wait_for(
                    lambda: _free(folder / "recovery" / ".lock"), 20, "the end of the job", folder / "log"
                )
            else:
                stop(job)
    return seconds


def _free(lock: Path) -> bool:
    import fcntl  # noqa: PLC0415 - not everywhere

    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
