"""The processes of one job as one unit: started together, stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from fleetflow import processes as processes_

FLOW = "fleetflow:flow"


def bytewax_command(
    workers: int, store: Path | None, snapshot_s: int, process: int = 0, addresses: Sequence[str] = ()
) -> list[str]:
    """Return the command line of one process of a job, run by Bytewax.

    `-P` keeps the current folder from shadowing installed packages.
    """
    arguments = [sys.executable, "-P", "-m", "bytewax.run", FLOW, "-w", str(workers)]
    if store is not None:
        arguments += ["-r", str(store), "-s", str(snapshot_s), "-b", "0"]
    if len(addresses) > 1:
        arguments += ["-i", str(process), "-a", ";".join(addresses)]
    return arguments


def free_addresses(count: int) -> list[str]:
    """Return loopback addresses for `count` processes, each free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


Start = Callable[[Sequence[str], Mapping[str, str]], "subprocess.Popen[bytes]"]
"""Starts one process of a job with its command and environment."""
Command = Callable[[int, Sequence[str]], tuple[Sequence[str], Mapping[str, str]]]
"""Returns the command line of a process, and variables that it gets in addition to those of this one, by its
number and the addresses of all (none for a single one)."""


class Cluster:
    """A running job of one or more processes.

    `start` decides how a process is tied to this one.
    """

    def __init__(self, command: Command, processes: int, start: Start = processes_.start) -> None:
        addresses = free_addresses(processes) if processes > 1 else []
        self.processes: list[subprocess.Popen[bytes]] = []
        # variables of Bytewax's own would contradict the flags; the API would listen on all interfaces
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("BYTEWAX_")}
        try:
            for number in range(processes):
                arguments, variables = command(number, addresses)
                self.processes.append(start(arguments, {**inherited, **variables}))
        # whatever keeps one from being started: the others must not wait for it
        except BaseException:
            for process in self.processes:
                process.kill()
                process.wait()
            raise

    def stop(self) -> None:
        """Ask every process for a clean end."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    def wait(self, hopeless: int | None = None) -> int:
        """Wait until all have ended; returns 0 when all did so cleanly, otherwise the first failure.

        When one fails the others are given a few seconds (Bytewax ends them by itself) and then killed;
        after one second when it ends with `hopeless`.
        """
        done = threading.Event()
        failed: list[int] = []

        def watch(process: subprocess.Popen[bytes]) -> None:
            code = process.wait()
            if code != 0:
                failed.append(code)
                done.set()
            elif all(other.poll() is not None for other in self.processes):
                done.set()

        watchers = [
            threading.Thread(target=watch, args=(process,), daemon=True) for process in self.processes
        ]
        for watcher in watchers:
            watcher.start()
        while not done.wait(0.5):
            # the wait is in short pieces so that signals are taken
            pass
        # who ends hopelessly may still be saying why
        deadline = time.monotonic() + (1.0 if hopeless in failed else 5.0)
        for watcher in watchers:
            watcher.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        return failed[0] if failed else 0
