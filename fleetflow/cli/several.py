"""Several processes of one `fleetflow run`: how they are started, and what each knows of its place."""

from __future__ import annotations

import logging
import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import NamedTuple

from fleetflow import cluster, processes
from fleetflow.dataflow.stop import LEFT
from fleetflow.errors import ConfigurationError

log = logging.getLogger(__name__)
ATTEMPTS = 3
"""How often a job is started when one of its processes fails."""
REFUSED = os.EX_CONFIG
"""How a process ends that cannot be set up: starting it again would not help."""
VARIABLE = "FLEETFLOW_PROCESS"


class Place(NamedTuple):
    """Which one of several processes this is."""

    number: int
    addresses: Sequence[str]
    token: int
    """The end of a pipe in which there is one byte. Who reads it tells why the job cannot be set up: all
    processes meet the same."""

    @classmethod
    def take(cls) -> Place | None:
        """Return the place that this process was given, once; None when it is not one of several."""
        given = os.environ.pop(VARIABLE, None)
        if given is None:
            return None
        try:
            number, token, *addresses = given.split()
            place = cls(int(number), addresses, int(token))
            known = stat.S_ISFIFO(os.fstat(place.token).st_mode)
        except (ValueError, OSError):
            known = False
        if not known:
            raise ConfigurationError(
                f"{VARIABLE}={given!r} was not set by fleetflow", f"unset {VARIABLE}, and use `run -p`"
            )
        os.set_inheritable(place.token, False)
        return place

    def as_variables(self) -> dict[str, str]:
        """Return what lets a process take this place."""
        return {VARIABLE: " ".join([str(self.number), str(self.token), *self.addresses])}

    def is_to_tell(self) -> bool:
        """Whether no other process has told yet what keeps the job from being set up."""
        try:
            return bool(os.read(self.token, 1))
        except BlockingIOError:
            return False


def run(count: int, configure: Callable[[], object]) -> int:
    """Run this command once more in each of `count` processes; returns the exit code.

    `configure` is called before there is something to log: it sets up logging.

    When one of them fails, all are started again from the last snapshot: now and then the connections
    between Bytewax's processes break on a busy machine ("Send thread panic"), also while they end.
    """
    running: list[cluster.Cluster] = []
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        for each in running:
            each.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    token, full = os.pipe()
    os.write(full, b".")
    # who comes second must not wait
    os.set_blocking(token, False)
    code = 0
    for attempt in range(ATTEMPTS):
        if attempt:
            configure()
            log.warning("a process ended with code %d: all are started again from the last snapshot", code)
        if stopped:
            break
        running[:] = [
            cluster.Cluster(partial(_command, token), count, partial(processes.start, descriptors=[token]))
        ]
        if stopped:
            # while they were being started
            running[0].stop()
        code = running[0].wait(REFUSED)
        if code in (0, REFUSED):
            break
    os.close(token)
    os.close(full)
    if stopped and code in (-signal.SIGTERM, LEFT):
        # by the signal that it was sent, before it had begun
        code = 0
    return code


def _command(token: int, number: int, addresses: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return this process's command line and the place of another.

    `-P` keeps the current folder from shadowing installed packages.
    """
    return (
        [sys.executable, "-P", "-m", "fleetflow", *sys.argv[1:]],
        Place(number, addresses, token).as_variables(),
    )
