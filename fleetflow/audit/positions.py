"""How far the sources had come, as a recovery store or a savepoint has it; only plain data is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleetflow.errors import StoreError
from fleetflow.savepoints import plain, savepoint, store

READ = "read_"
"""Steps of sources are called so, followed by the source's name."""


def positions(folder: Path) -> dict[tuple[str, str], Any]:
    """Return the stored position per source and partition; empty without a store."""
    found: dict[tuple[str, str], Any] = {}
    if (folder / store.FILE).is_file():
        with store.reading(folder / store.FILE) as connection:
            for step, key, data in store.states(connection):
                name = step.partition(".")[2]
                if name.startswith(READ):
                    found[name.removeprefix(READ), key] = plain.loads(data)
    return found


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Return, per step and partition, size, SHA-256 and version of the position, and the position itself."""
    if not (folder / store.FILE).is_file():
        return {}
    with store.reading(folder / store.FILE) as connection:
        states = savepoint.summaries(connection)
    found = {step: keys for step, keys in states.items() if step.partition(".")[2].startswith(READ)}
    try:
        for (source, partition), position in positions(folder).items():
            for step, keys in found.items():
                if step.endswith(f".{READ}{source}") and partition in keys:
                    keys[partition] = {**keys[partition], "position": position}
    except StoreError:
        # not plain: the summary says so
        pass
    return found
