"""A diskcache `Disk` that holds text and nothing else."""

from __future__ import annotations

import threading
from typing import Any

import diskcache  # type: ignore[import-untyped] # it has no type hints
from diskcache.core import MODE_RAW, UNKNOWN  # type: ignore[import-untyped]

from fleetflow.errors import StoreError


class TextDisk(diskcache.Disk):  # type: ignore[misc] # diskcache has no type hints
    """Keys and values are text, inside the database; everything else is refused, going in and coming out.

    diskcache's own `Disk` pickles what is neither text, bytes nor number, and unpickles what it finds:
    whoever can write into the directory can then run code in every reader (CVE-2025-69872). Here nothing
    is ever pickled or unpickled, and no value is kept in a file of its own. Raises StoreError.
    """

    def __init__(self, directory: str, **kwargs: Any) -> None:
        super().__init__(directory, **kwargs)
        self._asked = threading.local()

    def put(self, key: object) -> tuple[str, bool]:
        """Return the key as it is stored."""
        if type(key) is not str:
            raise refused(key, f"a key of type {type(key).__name__}")
        # fetch() is not told the key; a refusal that names it is worth more than one that does not
        self._asked.key = key
        return key, True

    def get(self, key: object, raw: bool) -> str:
        """Return a stored key."""
        if not raw or type(key) is not str:
            raise refused(key, "a key that is not text")
        return key

    def store(
        self, value: object, read: bool, key: object = UNKNOWN
    ) -> tuple[int, int, str | None, str | None]:
        """Return (size, mode, filename, value) of a value to be stored."""
        if read or type(value) is not str:
            raise refused(key, "a file" if read else f"a value of type {type(value).__name__}")
        return 0, MODE_RAW, None, value

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> str:
        """Return a stored value."""
        if read:
            raise refused(getattr(self._asked, "key", "unknown"), "a value that is to be read as a file")
        return checked_text(getattr(self._asked, "key", "unknown"), mode, filename, value)


def checked_text(key: object, mode: object, filename: object, value: object) -> str:
    """Return the text of a row of the table Cache; StoreError, naming the key, for all but plain text."""
    if mode != MODE_RAW or filename is not None or type(value) is not str:
        raise refused(
            key,
            f"a value that is not plain text (mode {mode}{', in a file' if filename is not None else ''})",
        )
    return value


def refused(key: object, what: str) -> StoreError:
    """Return the error for something that is not text."""
    return StoreError(
        f"vehicles map: key {key!r:.100} has {what}; expected JSON text, nothing is unpickled",
        "something other than fleetflow wrote into the directory: find out what it was, and delete the row",
    )
