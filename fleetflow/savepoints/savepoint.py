"""Taking a savepoint, verifying it, and starting from a copy of it.

A savepoint is a folder: the recovery store's one file, copied with SQLite's backup API (a consistent
moment, also while the job runs), and `manifest.json`, which names the file's SHA-256 and carries a
checksum of itself. The file carries the savepoint's id too, so that files of two savepoints are told apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetflow.errors import StoreError
from fleetflow.savepoints import plain, store

MANIFEST = "manifest.json"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ID_TABLE = "fleetflow_savepoint"


class SavepointError(StoreError):
    """A savepoint is missing, damaged, mixed or foreign."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A verified savepoint: its folder and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def description(self) -> Mapping[str, Any]:
        """What the code that wrote it was: see `fleetflow.savepoints.description`."""
        found: Mapping[str, Any] = self.manifest["job"]
        return found

    @property
    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Step id to key to summary of the stored state."""
        found: Mapping[str, Mapping[str, Any]] = self.manifest["states"]
        return found


def take(recovery: Path, target: Path, job: str, description: Mapping[str, Any]) -> Savepoint:
    """Copy the store in `recovery` into the new folder `target`, all or nothing.

    The job may be running: the copy is what a crash at this moment would have left. Raises StoreError when
    there is no store, SavepointError when the name is taken.
    """
    if not NAME.fullmatch(target.name):
        raise SavepointError(
            f'"{target.name}" cannot name a savepoint', "use letters, digits, dots, dashes and underscores"
        )
    if target.exists():
        raise SavepointError(
            f'there is already a savepoint "{target.name}"',
            f"choose another name, or `fleetflow delete-snapshot {target.name}`",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    identity = secrets.token_hex(8)
    building = target.parent / f".{target.name}.{identity}"
    building.mkdir(mode=0o700)
    try:
        file = building / store.FILE
        _copy(recovery / store.FILE, file, identity)
        with store.reading(file) as connection:
            reached = store.progress(connection)
            states = summaries(connection)
        manifest: dict[str, Any] = {
            "version": VERSION,
            "id": identity,
            "name": target.name,
            "job_name": job,
            "created_at": time.time(),
            "epoch": reached.epoch,
            "job": description,
            "states": states,
            "files": {store.FILE: _sha256(file)},
        }
        manifest["checksum"] = _checksum(manifest)
        (building / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), "utf-8")
        for path in (file, building / MANIFEST, building):
            _sync(path)
        try:
            building.rename(target)
        except OSError as error:
            raise SavepointError(f'there is already a savepoint "{target.name}"', "choose another") from error
        _sync(target.parent)
    except OSError as error:
        raise SavepointError(
            f'the savepoint "{target.name}" could not be written: {error}',
            "make room or correct the permissions; nothing was left behind, the job was not touched",
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Savepoint(target, manifest)


def verify(folder: Path, flow: str | None = None) -> Savepoint:
    """Read a savepoint and check every byte of it; raises SavepointError with what is wrong.

    With `flow`, also that it is of that flow.
    """
    name = folder.name
    hint = "use another one: `fleetflow list-snapshots`"
    if not folder.is_dir():
        raise SavepointError(f'there is no savepoint "{name}"', hint)
    manifest = read_manifest(folder)
    for file, expected in manifest["files"].items():
        path = folder / Path(file).name
        if not path.is_file():
            raise SavepointError(f'savepoint "{name}" is not whole: {file} is missing', hint)
        if _sha256(path) != expected:
            other = _identity(path)
            if other is not None and other != manifest["id"]:
                raise SavepointError(
                    f'savepoint "{name}" is mixed: its {file} belongs to another savepoint ({other}), '
                    f"expected {manifest['id']}",
                    hint,
                )
            raise SavepointError(
                f'savepoint "{name}" is damaged: {file} is not what its manifest says (SHA-256 differs)', hint
            )
    if store.FILE not in manifest["files"]:
        raise SavepointError(f'savepoint "{name}" has no recovery store', hint)
    found = manifest["job"].get("flow")
    if flow is not None and found != flow:
        raise SavepointError(f'savepoint "{name}" is of the flow "{found}", this job is "{flow}"', hint)
    return Savepoint(folder, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest, its own checksum verified; raises SavepointError."""
    hint = "use another one: `fleetflow list-snapshots`"
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        wanted, checksum = manifest["checksum"], _checksum(manifest)
        version = manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SavepointError(
            f'savepoint "{folder.name}" is damaged: its manifest cannot be read ({error})', hint
        ) from error
    if wanted != checksum:
        raise SavepointError(
            f'savepoint "{folder.name}" is damaged: its manifest was changed (checksum differs)', hint
        )
    if version != VERSION:
        raise SavepointError(
            f'savepoint "{folder.name}" has format {version}, this fleetflow reads {VERSION}',
            "use the fleetflow that took it",
        )
    found: dict[str, Any] = manifest
    return found


def restore(savepoint: Savepoint, recovery: Path) -> None:
    """Make `recovery` a store with the savepoint's state: a copy, the savepoint itself is never run on.

    Whatever store was there is replaced; hold its lock.
    """
    recovery.mkdir(parents=True, exist_ok=True, mode=0o700)
    building = recovery / f".{store.FILE}.new"
    building.unlink(missing_ok=True)
    shutil.copyfile(savepoint.folder / store.FILE, building)
    with closing(sqlite3.connect(building)) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {ID_TABLE}")
        connection.commit()
    _sync(building)
    # the old write-ahead log goes first: it must never be applied to the new file; and it goes into the
    # old file before, which a crash here leaves behind
    if (recovery / store.FILE).is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(recovery / store.FILE)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        (recovery / f"{store.FILE}{suffix}").unlink(missing_ok=True)
    building.replace(recovery / store.FILE)
    _sync(recovery)


def delete(folder: Path) -> None:
    """Remove a savepoint, whole or damaged."""
    if not NAME.fullmatch(folder.name) or not (folder / MANIFEST).is_file():
        raise SavepointError(f'there is no savepoint "{folder.name}"', "`fleetflow list-snapshots`")
    doomed = folder.parent / f".{folder.name}.deleted-{secrets.token_hex(4)}"
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _copy(source: Path, target: Path, identity: str) -> None:
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY, 0o600)
    os.close(descriptor)
    with store.reading(source) as live:
        try:
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                copy.execute(f"DROP TABLE IF EXISTS {ID_TABLE}")
                copy.execute(f"CREATE TABLE {ID_TABLE} (id TEXT NOT NULL)")
                copy.execute(f"INSERT INTO {ID_TABLE} VALUES (?)", (identity,))
                copy.commit()
                state = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.Error as error:
            raise SavepointError(f"the copy could not be made: {error}", "is the disk full?") from error
    if state != "ok":
        raise SavepointError(f"the recovery store is damaged: {state}", "start from an earlier savepoint")


def summaries(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return per step and key: size, SHA-256 and version of the state, and small positions."""
    found: dict[str, dict[str, Any]] = {}
    for step, key, data in store.states(connection):
        summary: dict[str, Any] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        try:
            state = plain.loads(data)
        except StoreError as error:
            summary["not_plain"] = error.message
        else:
            if isinstance(state, dict) and isinstance(state.get("v"), int):
                summary["v"] = state["v"]
                found_parts = [state.get(kind) for kind in ("judges", "detectors", "sinks")]
                parts = [str(name) for each in found_parts if isinstance(each, dict) for name in each]
                if parts:
                    summary["parts"] = sorted(parts)
            elif isinstance(state, int | float | str):
                summary["position"] = state
        found.setdefault(step, {})[key] = summary
    return found


def _identity(path: Path) -> str | None:
    try:
        with store.reading(path) as connection:
            row = connection.execute(f"SELECT id FROM {ID_TABLE}").fetchone()
            return None if row is None else str(row[0])
    except StoreError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(manifest: Mapping[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
