"""Savepoints: taken from a store, refused when anything is wrong with them, run on as a copy only."""

import copy
import json
import os
import pickle
import shutil
import sqlite3
from contextlib import closing

import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from fleetflow_ping.plugin import fleetflow_schema

from fleetflow.errors import StoreError
from fleetflow.savepoints import check, plain, savepoint, store
from fleetflow.testing import MemoryQuarantine, MemorySink, MemorySource, csv_payload, run_once

JOB = {
    "flow": "fleetflow",
    "steps": [f"fleetflow.{name}" for name in ("read_memory", "detect", "record", "conflate", "write")],
    "sources": {"memory": ["memory"]},
    "detectors": [],
    "sinks": ["memory", "memory_quarantine"],
    "shards": 8,
    "keys": 2,
    "schema": {"name": "ping", "version": 1, "columns": {"vin": "String", "latitude": "Float64"}},
    "distributions": {"fleetflow-ping": "1.0.0"},
    "configuration": {"flow": {"shards": 8, "batch_bytes": 10}},
    "versions": {"fleetflow": "0.1.0", "bytewax": "0.21.1", "python": "3.11.1"},
}


def run(recovery, payloads):
    if not recovery.exists():
        recovery.mkdir()
        init_db_dir(recovery, 1)
    sink = MemorySink()
    run_once(
        fleetflow_schema(),
        [MemorySource(payloads)],
        [sink, MemoryQuarantine()],
        recovery=RecoveryConfig(str(recovery)),
    )
    return sink


FIRST = [csv_payload("A,1,2,10\nB,3,4,10\n")]
MORE = [*FIRST, csv_payload("A,5,6,20\n", start=18)]


@pytest.fixture
def taken(tmp_path):
    run(tmp_path / "store", FIRST)
    return savepoint.take(tmp_path / "store", tmp_path / "all" / "tuesday", "trucks", JOB)


def test_a_job_goes_on_from_a_copy_exactly_where_the_savepoint_was_taken(tmp_path, taken):
    before = (taken.folder / store.FILE).read_bytes()
    verified = savepoint.verify(taken.folder, "fleetflow")
    savepoint.restore(verified, tmp_path / "other")
    sink = run(tmp_path / "other", MORE)
    assert {vin: record["time"] for vin, record in sink.records.items()} == {"A": 20.0}
    assert (taken.folder / store.FILE).read_bytes() == before
    savepoint.verify(taken.folder)


def test_manifest_names_steps_partitions_and_positions(taken):
    assert taken.states["fleetflow.read_memory"]["memory"]["position"] == 1
    assert any(step.startswith("fleetflow.write") for step in taken.states)
    assert check.compare(JOB, JOB, taken.states) == []


def test_restore_replaces_a_store_and_its_log(tmp_path, taken):
    run(tmp_path / "store", MORE)
    (tmp_path / "store" / f"{store.FILE}-wal").write_bytes(b"of the old store")
    savepoint.restore(taken, tmp_path / "store")
    assert set(run(tmp_path / "store", MORE).records) == {"A"}


def test_a_copy_is_consistent_while_the_store_is_written(tmp_path):
    run(tmp_path / "store", FIRST)
    with closing(sqlite3.connect(tmp_path / "store" / store.FILE)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE snaps SET ser_change = x'00'")
        taken = savepoint.take(tmp_path / "store", tmp_path / "live", "trucks", JOB)
        writer.rollback()
    assert taken.states["fleetflow.read_memory"]["memory"]["position"] == 1


def damaged(folder):
    with (folder / store.FILE).open("r+b") as file:
        file.seek(9000)
        byte = file.read(1)
        file.seek(9000)
        file.write(bytes([byte[0] ^ 1]))


def truncated(folder):
    os.truncate(folder / store.FILE, 8192)


def without_store(folder):
    (folder / store.FILE).unlink()


def changed_manifest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["job"]["shards"] = 9
    (folder / "manifest.json").write_text(json.dumps(manifest))


def half_a_manifest(folder):
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damaged, "is damaged: part-0.sqlite3"),
        (truncated, "is damaged: part-0.sqlite3"),
        (without_store, "is not whole: part-0.sqlite3 is missing"),
        (changed_manifest, "its manifest was changed"),
        (half_a_manifest, "its manifest cannot be read"),
        (shutil.rmtree, 'there is no savepoint "tuesday"'),
    ],
)
def test_a_harmed_savepoint_is_refused_in_words(taken, harm, words):
    harm(taken.folder)
    with pytest.raises(savepoint.SavepointError) as caught:
        savepoint.verify(taken.folder)
    assert words in str(caught.value)


def test_files_of_two_savepoints_are_refused(tmp_path, taken):
    run(tmp_path / "store", MORE)
    other = savepoint.take(tmp_path / "store", tmp_path / "all" / "wednesday", "trucks", JOB)
    shutil.copy(other.folder / store.FILE, taken.folder / store.FILE)
    with pytest.raises(savepoint.SavepointError, match="is mixed"):
        savepoint.verify(taken.folder)


def test_a_foreign_savepoint_is_refused(taken):
    with pytest.raises(savepoint.SavepointError, match='of the flow "fleetflow", this job is "other"'):
        savepoint.verify(taken.folder, "other")


def test_a_name_is_used_once_and_cannot_leave_the_folder(tmp_path, taken):
    for name, words in (("tuesday", "already a savepoint"), ("..", "cannot name"), (".x", "cannot name")):
        with pytest.raises(savepoint.SavepointError, match=words):
            savepoint.take(tmp_path / "store", tmp_path / "all" / name, "trucks", JOB)
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["tuesday"]


def test_nothing_is_left_of_a_savepoint_that_could_not_be_taken(tmp_path):
    with pytest.raises(StoreError, match="no recovery store"):
        savepoint.take(tmp_path / "nowhere", tmp_path / "all" / "tuesday", "trucks", JOB)
    assert list((tmp_path / "all").iterdir()) == []


def test_delete_removes_it(taken):
    savepoint.delete(taken.folder)
    assert not taken.folder.exists()
    with pytest.raises(savepoint.SavepointError, match="there is no savepoint"):
        savepoint.delete(taken.folder)


class Harm:
    def __reduce__(self):
        return (os.mkdir, ("harmed",))


def test_stored_state_never_runs_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plain.loads(pickle.dumps({"v": 1, "x": (1, b"2", [None, 1.5, {"a"}])}, protocol=4)) == {
        "v": 1,
        "x": (1, b"2", [None, 1.5, {"a"}]),
    }
    with pytest.raises(StoreError, match="not plain data"):
        plain.loads(pickle.dumps(Harm()))
    with pytest.raises(StoreError, match="not plain data"):
        plain.loads(b"\x80")
    assert list(tmp_path.iterdir()) == []


def changed(**tables):
    after = copy.deepcopy(JOB)
    for path, value in tables.items():
        *way, last = path.split("__")
        place = after
        for name in way:
            place = place[name]
        place[last] = value
    return after


@pytest.mark.parametrize(
    ("after", "grade", "subject"),
    [
        (changed(flow="other"), "refused", "flow"),
        (changed(shards=9), "refused", "[flow] shards"),
        (changed(keys=3), "refused", "keys"),
        (changed(sources={"renamed": ["memory"]}), "refused", "source memory"),
        (changed(sources={"memory": ["memory-0"]}), "refused", "source memory"),
        (changed(sources={"memory": ["memory", "m-1"]}), "defaulted", "source memory"),
        (changed(sources={"memory": ["memory"], "b": ["b"]}), "defaulted", "source b"),
        (changed(steps=JOB["steps"][:-1]), "refused", "step fleetflow.write"),
        (changed(schema__columns__obd_codes="List(String)"), "defaulted", "field obd_codes"),
        (changed(schema__columns={"vin": "String"}), "refused", "field latitude"),
        (changed(schema__columns__latitude="String"), "refused", "field latitude"),
        (changed(schema={"name": "ping", "version": 0, "columns": {"vin": "String"}}), "lossy", "latitude"),
        (changed(schema__name="other"), "refused", "schema"),
        (changed(versions__bytewax="0.22"), "refused", "bytewax"),
        (changed(versions__python="3.12.1"), "compatible", "python"),
        (changed(detectors=["crash"]), "defaulted", "detector crash"),
        (changed(sinks=["memory"]), "lossy", "sink memory_quarantine"),
        (changed(distributions={"fleetflow-ping": "2.0.0"}), "compatible", "fleetflow-ping"),
        (changed(configuration__flow__batch_bytes=11), "compatible", "[flow] batch_bytes"),
    ],
)
def test_each_difference_is_graded_and_named(taken, after, grade, subject):
    findings = check.compare(JOB, after, taken.states)
    assert check.worst(findings) == grade
    assert subject in findings[0].subject
    assert findings[0].message
