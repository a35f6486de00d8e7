"""The recovery store's lock."""

import gc
import os
import subprocess
import sys

import pytest

from fleetflow.errors import StoreError
from fleetflow.recovery import StoreLock, ensure_store, holder_of

TRY = """
import pathlib, sys
from fleetflow.recovery import StoreLock
StoreLock(pathlib.Path(sys.argv[1])).acquire()
"""


def test_two_jobs_never_share_a_store(tmp_path):
    ensure_store(tmp_path)
    lock = StoreLock(tmp_path)
    lock.acquire()
    with pytest.raises(StoreError, match="is in use by process"):
        StoreLock(tmp_path).acquire()
    lock.release()
    again = StoreLock(tmp_path)
    again.acquire()
    again.release()


def test_the_lock_is_held_until_the_process_ends(tmp_path):
    ensure_store(tmp_path)
    lock = StoreLock(tmp_path)
    lock.acquire()
    descriptor = lock._descriptor
    del lock
    gc.collect()
    other = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "is in use by process" in other.stderr
    os.close(descriptor)
    subprocess.run([sys.executable, "-c", TRY, str(tmp_path)], check=True)


def test_a_store_is_made_once(tmp_path):
    ensure_store(tmp_path / "new")
    made = (tmp_path / "new/part-0.sqlite3").stat()
    ensure_store(tmp_path / "new")
    assert (tmp_path / "new/part-0.sqlite3").stat().st_ino == made.st_ino


def test_who_holds_a_store_is_told_without_touching_its_lock(tmp_path):
    assert holder_of(tmp_path) is None
    ensure_store(tmp_path)
    lock = StoreLock(tmp_path)
    lock.acquire()
    assert holder_of(tmp_path) == os.getpid()
    lock.release()
    assert holder_of(tmp_path) is None


def test_the_ledger_of_a_job_is_its_own(tmp_path):
    lock = StoreLock(tmp_path / "ledger", "ledger", "ledger")
    lock.acquire()
    with pytest.raises(StoreError, match=r"the ledger .* is in use by process") as found:
        StoreLock(tmp_path / "ledger", "ledger", "ledger").acquire()
    assert "[ledger] dir, FLEETFLOW_LEDGER_DIR" in found.value.hint
    lock.release()
