"""Makes files or the store slow, for a process that has this folder on PYTHONPATH.

BENCHMARK_READ_S is slept in every read of a file's part, as over a network; BENCHMARK_COMMIT_S in every
write of a shard into the vehicles map, as on a disk that takes its time.
"""

import os
import sys
import time

read_s = float(os.environ.get("BENCHMARK_READ_S", "0"))
commit_s = float(os.environ.get("BENCHMARK_COMMIT_S", "0"))

if read_s:
    pread = os.pread

    def slow_pread(fd, length, offset):
        time.sleep(read_s)
        return pread(fd, length, offset)

    os.pread = slow_pread

if commit_s and "fleetflow" in sys.orig_argv:
    from fleetflow_vehicles.store import Store

    upsert = Store.upsert

    def slow_upsert(self, *arguments):
        found = upsert(self, *arguments)
        time.sleep(commit_s)
        return found

    Store.upsert = slow_upsert
