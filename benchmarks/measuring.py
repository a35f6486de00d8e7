"""A whole process, with all its children, measured from outside."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SAMPLE_S = 0.05
PAGE = resource.getpagesize()
TICK = os.sysconf("SC_CLK_TCK")
KIB = 1024


class Failed(Exception):
    """A process did not end well, or not in time."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children took: seconds by the clock and of all cores, bytes at the peak.

    The peak is of the sum of the resident memory of all processes, sampled 20 times per second, or the
    kernel's own peak of the largest one when that is more. Pages that several processes share count in
    each of them.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(slots=True)
class Tree:
    """Samples memory and CPU time of a process and its children (Linux; elsewhere it sees nothing)."""

    root: int
    peak_bytes: int = 0
    resident_bytes: int = 0
    """When it was last sampled."""
    _cpu: dict[int, float] = field(default_factory=dict)

    def sample(self) -> None:
        """Look once."""
        total = 0
        for pid in self._members():
            try:
                stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
            except (OSError, UnicodeDecodeError):
                continue
            # fields as in proc(5), counted from the third one: utime 14, stime 15, rss 24
            self._cpu[pid] = (int(stat[11]) + int(stat[12])) / TICK
            total += int(stat[21]) * PAGE
            self.peak_bytes = max(self.peak_bytes, _high_water(pid))
        self.resident_bytes = total
        self.peak_bytes = max(self.peak_bytes, total)

    @property
    def cpu_s(self) -> float:
        """CPU time of all processes seen so far, until they were last seen."""
        return sum(self._cpu.values())

    def _members(self) -> list[int]:
        found, todo = [], [self.root]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - many times per second
                    with contextlib.suppress(OSError):
                        children = Path(f"/proc/{pid}/task/{task}/children").read_text("ascii")
                        todo.extend(map(int, children.split()))
        return found


def _high_water(pid: int) -> int:
    """Return the kernel's peak of one process in bytes; 0 when it cannot be told.

    Not `ru_maxrss`, which on Linux is at least what the process that started it had in memory.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB
    return 0


class Sampler:
    """Samples a tree in a thread until it is left."""

    def __init__(self, tree: Tree, interval_s: float = SAMPLE_S) -> None:
        self.tree = tree
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.tree.sample()
            if self._stop.wait(self._interval_s):
                return


def start(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, both streams into `log`."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, timeout_s: float
) -> Usage:
    """Run to the end; raises Failed for an exit code other than 0 and after `timeout_s`."""
    began = time.perf_counter()
    process = start(argv, environment, folder, log)
    late = threading.Event()

    def end() -> None:
        late.set()
        kill_group(process.pid)

    timer = threading.Timer(timeout_s, end)
    timer.start()
    try:
        with Sampler(Tree(process.pid)) as sampler:
            # wait4 blocks, so the time is exact, and tells what the process and its children took
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        # also when the benchmark is broken off
        timer.cancel()
        timer.join()
        kill_group(process.pid)
    if late.is_set():
        raise Failed(f"not done after {timeout_s:.0f} s")
    if process.returncode:
        raise Failed(f"exit code {process.returncode}: {tail(log)}")
    return Usage(
        wall_s,
        max(usage.ru_utime + usage.ru_stime, sampler.tree.cpu_s),
        # elsewhere than on Linux nothing was sampled, and `ru_maxrss` is in bytes
        sampler.tree.peak_bytes if sys.platform == "linux" else usage.ru_maxrss,
    )


def stop(process: subprocess.Popen[bytes], patience_s: float = 20.0) -> int:
    """Ask a process for a clean end and return its exit code; kill it when it does not."""
    process.terminate()
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        kill_group(process.pid)


def kill_group(pid: int) -> None:
    """Kill what is left of a session that `start` began."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def tail(log: Path, lines: int = 8) -> str:
    """Return the end of a log, on one line."""
    content = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return " / ".join(line.strip() for line in content[-lines:] if line.strip())
