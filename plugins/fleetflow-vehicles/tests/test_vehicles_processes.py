"""Stories of several processes: writing and reading at once, and being killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fleetflow_vehicles.layout import open_cache
from fleetflow_vehicles.store import Store
from fleetflow_vehicles.vehicles import Vehicles
from vehicles_kit import ping, put, python, wait_for

WRITER = """
from pathlib import Path
from vehicles_kit import ping, put
from fleetflow_vehicles.store import Store
folder, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store(folder)
applied = 0
for step in range(1, rounds + 1):
    counts = put(store, *(ping(f"{name}-{vehicle}", float(step)) for vehicle in range(40)))
    applied += counts["alpha"].applied
store.close()
print(applied)
"""

UPDATER = """
from pathlib import Path
from fleetflow_vehicles.vehicles import Vehicles
with Vehicles(Path(sys.argv[1])) as vehicles:
    for step in range(int(sys.argv[3])):
        assert vehicles.update(sys.argv[2], {"note": step, "status": f"s{step}"}) is not None
print("done")
"""


def result(process: object) -> str:
    out, errors = process.communicate(timeout=90)  # type: ignore[attr-defined]
    assert (process.returncode, errors) == (0, "")  # type: ignore[attr-defined]
    return str(out).strip()


def test_two_processes_write_while_a_third_reads_and_nothing_is_lost(tmp_path: Path) -> None:
    processes = [python(WRITER, tmp_path, name, 100) for name in ("P", "Q")]
    revision, followed, newest = 0, {}, {}
    with Vehicles(tmp_path) as vehicles:
        while any(process.poll() is None for process in processes):
            changes = vehicles.changed_since(revision)
            assert changes.revision >= revision
            revision = changes.revision
            for record in changes.records:
                assert record["time"] >= newest.get(record["vin"], 0.0), "a vehicle moved back"
                newest[record["vin"]] = record["time"]
                followed[record["vin"]] = record
            # a batch is there in whole or not at all
            for name in ("P", "Q"):
                times = {record["time"] for record in vehicles.records() if record["vin"][0] == name}
                assert len(times) <= 1
        assert [result(process) for process in processes] == ["4000", "4000"]
        followed |= {record["vin"]: record for record in vehicles.changed_since(revision).records}
        assert followed == {record["vin"]: record for record in vehicles.records()}
        assert vehicles.count() == len(followed) == 80
        assert {record["time"] for record in followed.values()} == {100.0}


def test_fields_of_another_process_and_pings_do_not_overwrite_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, ping("A", 0.0), ping("B", 0.0))
    updater = python(UPDATER, tmp_path, "A", 150)
    steps = 0
    while updater.poll() is None:
        steps += 1
        assert put(store, ping("A", float(steps)), ping("B", float(steps)))["alpha"].applied == 2
    assert result(updater) == "done"
    store.close()
    with Vehicles(tmp_path) as vehicles:
        a, b = vehicles.records()
    assert (a["time"], a["note"], a["status"]) == (float(steps), 149, "s149")
    assert (b["time"], "note" in b) == (float(steps), False)


ENDLESS = """
from pathlib import Path
from itertools import count
from vehicles_kit import ping, put
from fleetflow_vehicles.store import Store
store = Store(Path(sys.argv[1]))
start = int(sys.argv[2])
for step in count(start):
    put(store, *(ping(f"VIN{vehicle:04d}", float(step)) for vehicle in range(500)))
"""


def test_a_killed_writer_leaves_whole_batches_and_the_next_one_goes_on(tmp_path: Path) -> None:
    reached = 0.0
    for _ in range(3):
        writer = python(ENDLESS, tmp_path, int(reached) + 1)
        with Vehicles(tmp_path) as vehicles:

            def moved(vehicles: Vehicles = vehicles, beyond: float = reached + 3) -> bool:
                record = vehicles.get("VIN0000")
                return record is not None and record["time"] >= beyond

            wait_for(moved, "three batches")
            before = vehicles.get("VIN0000")
            os.kill(writer.pid, signal.SIGKILL)
            writer.communicate(timeout=30)
            assert writer.returncode == -signal.SIGKILL
        # by a reader that opens only now, with a log that nobody has closed
        with Vehicles(tmp_path) as vehicles:
            times = {record["time"] for record in vehicles.records()}
            assert vehicles.count() == 500
            assert len(times) == 1
            (reached,) = times
            assert before is not None
            assert reached >= before["time"]
    with open_cache(tmp_path) as cache:
        assert cache.check() == []
        assert len(cache) == 500
