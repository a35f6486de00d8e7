"""The compiled library is used where it can be, and done without elsewhere."""

import ctypes
import hashlib
import logging
import shutil
import subprocess
import sys

import pytest

from fleetflow.native import library
from fleetflow.native.lines import line_reader
from fleetflow.native.pages import page_reader


@pytest.fixture(autouse=True)
def anew():
    library.library.cache_clear()
    yield
    library.library.cache_clear()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_it_was_compiled_where_there_is_a_compiler():
    # after a change of the sources: pip install -e .
    found = library.library()
    assert found is not None
    sources = library.FILE.parent / "c"
    if sources.is_dir():
        told = found.fleetflow_native_sources
        told.restype = ctypes.c_char_p
        every = hashlib.sha256()
        for source in sorted(sources.iterdir()):
            every.update(source.name.encode() + b"\0" + source.read_bytes())
        assert told().decode() == every.hexdigest()


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(library.SWITCH, "0")
    assert library.library() is None
    assert line_reader([], 0) is None
    assert page_reader([]) is None


def test_without_it_nothing_is_said(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(library, "FILE", tmp_path / "none.so")
    assert library.library() is None
    assert not caplog.records


def test_one_that_cannot_be_loaded_is_told_and_done_without(monkeypatch, tmp_path, caplog):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(library, "FILE", broken)
    with caplog.at_level(logging.WARNING):
        assert library.library() is None
    assert "going on in Python" in caplog.text


@pytest.mark.skipif(library.library() is None, reason="nothing was compiled: there is no C compiler")
def test_one_of_another_version_is_told_and_done_without(monkeypatch, caplog):
    monkeypatch.setattr(library, "VERSION", library.VERSION + 1)
    with caplog.at_level(logging.WARNING):
        assert library.library() is None
    assert f"has version {library.VERSION - 1}, expected {library.VERSION}" in caplog.text


def test_a_library_of_something_else_is_done_without(monkeypatch, caplog):
    monkeypatch.setattr(library, "FILE", library.Path(sys.executable))
    monkeypatch.setattr(ctypes, "CDLL", lambda path: object())
    with caplog.at_level(logging.WARNING):
        assert library.library() is None
    assert "cannot be used" in caplog.text


def test_commands_know_the_switch():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fleetflow", "plugins"],
        env={library.SWITCH: "0", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
