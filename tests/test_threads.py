"""Python keeps its state of Bytewax's threads."""

import subprocess
import sys

import pytest

FLOW = """
import ctypes, sys, threading
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.testing import TestingSink, cluster_main
from fleetflow.threads import keep_state

state_of = ctypes.pythonapi.PyThreadState_Get
state_of.restype = ctypes.c_void_p
number_of = ctypes.pythonapi.PyThreadState_GetID
number_of.argtypes, number_of.restype = [ctypes.c_void_p], ctypes.c_uint64
seen = set()

class Partition(StatefulSourcePartition):
    left = 20

    def next_batch(self):
        seen.add((threading.get_ident(), number_of(state_of())))
        self.left -= 1
        if not self.left:
            raise StopIteration
        return [self.left]

    def snapshot(self):
        return None

class Source(FixedPartitionedSource):
    def list_parts(self):
        return ["a", "b"]

    def build_part(self, *given):
        if sys.argv[1] == "kept":
            keep_state()
            keep_state()
        return Partition()

flow, found = Dataflow("test"), []
op.output("write", op.input("read", flow, Source()), TestingSink(found))
cluster_main(flow, [], 0, worker_count_per_proc=2)
assert len(found) == 38
print(len({thread for thread, _ in seen}), len(seen))
"""


@pytest.mark.parametrize("kept", [True, False])
def test_each_worker_has_one_state_where_it_is_kept(kept):
    found = subprocess.run(
        [sys.executable, "-c", FLOW, "kept" if kept else ""], capture_output=True, text=True, check=True
    )
    workers, states = map(int, found.stdout.split())
    assert workers == 2
    # else there is one for every call
    assert (states == 2) == kept
