"""Makes files or the store slow, for a process that has this folder on PYTHONPATH.

BENCHMARK_FILE_S is waited in every opening, look at and read of a CSV file, each of which is a question to
the other side where files are on a network; BENCHMARK_COMMIT_S in every write of a shard into the vehicles
map, as on a disk that takes its time.
"""

import ctypes
import os
import sys
import time

file_s = float(os.environ.get("BENCHMARK_FILE_S", "0"))
commit_s = float(os.environ.get("BENCHMARK_COMMIT_S", "0"))
prctl = ctypes.PyDLL(None).prctl if sys.platform == "linux" else None
GET_SLACK, SET_SLACK = 30, 29
"""From <linux/prctl.h>."""


def wait(seconds):
    """Sleep for so long and not longer: a job lets its threads sleep up to 10 ms more than they asked for."""
    if prctl is None:
        time.sleep(seconds)
        return
    slack_ns = prctl(GET_SLACK, 0, 0, 0, 0)
    prctl(SET_SLACK, ctypes.c_ulong(1), 0, 0, 0)
    time.sleep(seconds)
    prctl(SET_SLACK, ctypes.c_ulong(slack_ns), 0, 0, 0)


if file_s:

    def slow(function, concerns):
        def slowed(*arguments, **named):
            if concerns(*arguments, **named):
                wait(file_s)
            return function(*arguments, **named)

        return slowed

    def is_input(path, *_, **__):
        return isinstance(path, str) and path.endswith(".csv")

    os.open, os.stat = slow(os.open, is_input), slow(os.stat, is_input)
    for name in ("pread", "preadv"):
        setattr(os, name, slow(getattr(os, name), lambda *_: True))
    if "fleetflow" in sys.orig_argv:
        from fleetflow.native.files import FileReader

        def slow_many(function, calls):
            """Of one call for many files each file is waited for, as often as it is asked in C."""

            def slowed(self, *arguments):
                *others, most_s = arguments
                # nothing more is begun when the time is over
                some = max(1, int(most_s / (calls * file_s)))
                others = [part if isinstance(part, int) else part[:some] for part in others]
                found = function(self, *others, most_s)
                wait(calls * file_s * len(found))
                return [(answer, wait_s + calls * file_s) for answer, wait_s in found]

            return slowed

        # opened, and read once, or, where something was read before, three times: as of new files
        FileReader.read, FileReader.look = slow_many(FileReader.read, 2), slow_many(FileReader.look, 1)

if commit_s and "fleetflow" in sys.orig_argv:
    from fleetflow_vehicles.store import Store

    upsert = Store.upsert

    def slow_upsert(self, *arguments):
        found = upsert(self, *arguments)
        wait(commit_s)
        return found

    Store.upsert = slow_upsert
