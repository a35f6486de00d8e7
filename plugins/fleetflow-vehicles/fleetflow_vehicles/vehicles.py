"""Reading the vehicles map, from any process, while the job writes."""

from __future__ import annotations

import contextlib
import difflib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fleetflow.contracts.vehicles import Changes, Record
from fleetflow_vehicles import layout
from fleetflow_vehicles.disk import checked_text, refused
from fleetflow_vehicles.records import Migrations, check_fields, parse
from fleetflow_vehicles.store import Store

T = TypeVar("T")

ROW = "SELECT key, raw, mode, filename, value FROM Cache"
TAGGED = "SELECT key, raw, mode, filename, value, tag FROM Cache"
CHUNK = 1000
NEAR = 5000
UTF8_END = "\U0010ffff"


class Vehicles:
    """The vehicles map (`fleetflow.contracts.vehicles.VehiclesMap`) in a directory.

    Reads see committed transactions only, each read as of one moment, over read-only connections: they
    never keep the job from writing. A directory that does not exist yet is an empty map; it is looked for
    at every read, so that it appears by itself, also when it was deleted and made anew. Records of an
    older schema are migrated; the texts are as they are stored. May be used by several threads.

    Raises StoreError for a store that is damaged, of a newer layout or somebody else's, and for a row
    that is not JSON text (pickles are never loaded).
    """

    def __init__(
        self,
        directory: Path,
        migrations: Callable[[Record], Record] | None = None,
        columns: Iterable[str] = (),
        timeout_s: float = 60.0,
        fields_bytes: int = 65_536,
    ) -> None:
        """Look at `directory`; `columns` are the ping's fields in the schema in use."""
        self.directory = directory
        self._file = layout.database(directory)
        self._migrated = migrations or Migrations()
        self._columns = tuple(columns)
        self._timeout_s = timeout_s
        self._fields_bytes = fields_bytes
        self._lock = threading.RLock()
        self._con: sqlite3.Connection | None = None
        self._store: Store | None = None
        self._identity: tuple[int, int] | None = None

    def get(self, vin: str) -> Record | None:
        """Return the record of `vin`, or None."""
        text = self.text(vin)
        return None if text is None else self._migrated(parse(vin, text))

    def text(self, vin: str) -> str | None:
        """Return the record of `vin` as it is stored, or None."""
        if not _storable(vin):
            return None
        rows = self._rows(f"{ROW} WHERE key = ? AND raw = 1", (vin,))
        return rows[0][1] if rows else None

    def records(self) -> Iterator[Record]:
        """Yield all records in order of VIN, as of the moment of this call.

        They are read as they are asked for, over a connection of their own. While the iterator is not
        exhausted (or dropped), the job's log grows by what it writes.
        """
        return (self._migrated(parse(vin, text)) for vin, text in self.texts())

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield (VIN, record as it is stored), like `records`."""
        with layout.told(self.directory, self._timeout_s):
            con = self._connect()
            if con is None:
                return iter(())
            con.execute("BEGIN")
            cursor = con.execute(f"{ROW} ORDER BY key, raw")
            # the first read fixes the moment
            first = cursor.fetchmany(CHUNK)
        return self._chunks(con, cursor, first)

    def _chunks(
        self, con: sqlite3.Connection, cursor: sqlite3.Cursor, rows: list[Any]
    ) -> Iterator[tuple[str, str]]:
        with contextlib.closing(con):
            while rows:
                yield from map(_checked, rows)
                with layout.told(self.directory, self._timeout_s):
                    rows = cursor.fetchmany(CHUNK)

    def count(self) -> int:
        """Return the number of vehicles; costs the same however many there are."""
        sql = "SELECT value FROM Settings WHERE key = 'count'"
        return self._read(lambda con: int(con.execute(sql).fetchone()[0]), 0)

    def revision(self) -> int:
        """Return the revision of the last write, 0 when there is no store."""
        return self._read(_revision, 0)

    def changed_since(self, revision: int, most: int | None = None) -> Changes:
        """Return what changed after `revision` (0: everything). Costs what changed, not what there is.

        With `most`, that many records or somewhat more at a time, and the revision that they reach to: ask
        again from there. Fewer than `most` are the last ones.

        Records come in the order in which they were last written. A revision that this store has not
        reached is one of another store, which was here before: everything is returned. Deletions are not
        told. Only writes by fleetflow are: a program that writes by diskcache's own methods gives no
        revision.
        """

        def read(rows: Iterable[Any]) -> tuple[int | None, list[Record]]:
            records: list[Record] = []
            reached = None
            for *row, tag in rows:
                # what one transaction wrote has one revision, and comes as a whole
                if most is not None and len(records) >= most and tag != reached is not None:
                    return reached, records
                reached = tag
                vin, text = _checked(row)
                records.append(self._migrated(parse(vin, text)))
            return None, records

        return Changes(*self._since(revision, read, []))

    def texts_since(self, revision: int) -> tuple[int, list[tuple[str, str]]]:
        """Return (revision, [(VIN, record as it is stored)]), like `changed_since`."""

        return self._since(revision, lambda rows: (None, [_checked(row) for *row, _ in rows]), [])

    def _since(
        self, revision: int, take: Callable[[Iterable[Any]], tuple[int | None, T]], nothing: T
    ) -> tuple[int, T]:
        """Return the revision reached, and what `take` makes of the rows that changed since, in their order.

        `take` is given each row with its revision at the end, and returns up to which revision it took them,
        None for all of them.
        """

        def read(con: sqlite3.Connection) -> tuple[int, T]:
            con.execute("BEGIN")
            try:
                now = _revision(con)
                if revision == now:
                    return now, nothing
                if 0 < revision < now:
                    sql = f"{TAGGED} INDEXED BY Cache_tag_rowid WHERE tag > ? ORDER BY tag, rowid"
                    cursor = con.execute(sql, (revision,))
                else:
                    cursor = con.execute(f"{TAGGED} ORDER BY tag, rowid")
                with contextlib.closing(cursor):
                    reached, taken = take(cursor)
                return now if reached is None else reached, taken
            finally:
                con.execute("COMMIT")

        return self._read(read, (0, nothing))

    def latest(self, limit: int) -> list[tuple[str, str]]:
        """Return (VIN, record as it is stored) of the vehicles last written, the newest first."""
        return self._rows(f"{ROW} ORDER BY tag DESC, rowid DESC LIMIT ?", (limit,))

    def near(self, vin: str, limit: int = 3) -> list[str]:
        """Return VINs that `vin` may have been meant to be; looks at some thousands of them at most."""

        def read(con: sqlite3.Connection) -> list[str]:
            if not _storable(vin):
                return []
            # other case, then the same beginning, then the neighbours in order
            found: dict[str, None] = {}
            for key in (vin.strip(), vin.strip().upper(), vin.strip().lower()):
                found |= dict.fromkeys(_keys(con, "key = ?", (key,), 1))
            for length in (8, 3, 1):
                start = vin.strip().upper()[:length]
                found |= dict.fromkeys(_keys(con, "key >= ? AND key < ?", (start, start + UTF8_END), NEAR))
                if len(found) >= CHUNK:
                    break
            found |= dict.fromkeys(_keys(con, "1 = 1", (), CHUNK))
            upper = {key.upper(): key for key in found}
            wanted = vin.strip().upper()
            begin = [key for key in upper if wanted and key.startswith(wanted)]
            close = difflib.get_close_matches(wanted, list(upper), n=limit, cutoff=0.6)
            return [upper[key] for key in dict.fromkeys([*begin[:limit], *close])][:limit]

        return self._read(read, [])

    def update(self, vin: str, fields: Mapping[str, Any]) -> Record | None:
        """Set fields that the ping does not own (None removes one); returns the record, None if unknown.

        The ping's own fields (of any schema version that was ever stored here), and values that JSON
        cannot hold, are refused with a FleetflowError, also for an unknown vehicle.
        """
        with self._lock, layout.told(self.directory, self._timeout_s):
            check_fields(fields, self._columns)
            if not _storable(vin) or self._connection() is None:
                return None
            if self._store is None:
                self._store = Store(self.directory, self._timeout_s, 4, self._fields_bytes)
            record = self._store.update(vin, fields, self._columns)
        return None if record is None else self._migrated(record)

    def close(self) -> None:
        """Let go of files and connections; a later read opens them again."""
        with self._lock:
            if self._con is not None:
                self._con.close()
            if self._store is not None:
                self._store.close()
            self._con = self._store = self._identity = None

    def __enter__(self) -> Vehicles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, sql: str, parameters: tuple[object, ...]) -> list[tuple[str, str]]:
        return self._read(lambda con: [_checked(row) for row in con.execute(sql, parameters)], [])

    def _read(self, read: Callable[[sqlite3.Connection], T], empty: T) -> T:
        with self._lock, layout.told(self.directory, self._timeout_s):
            con = self._connection()
            return empty if con is None else read(con)

    def _connection(self) -> sqlite3.Connection | None:
        """Return the connection to the store that is there now."""
        try:
            stat = self._file.stat()
        except (FileNotFoundError, NotADirectoryError):
            self.close()
            return None
        identity = (stat.st_dev, stat.st_ino)
        if self._con is None or identity != self._identity:
            self.close()
            self._con = self._connect()
            self._identity = identity
        return self._con

    def _connect(self) -> sqlite3.Connection | None:
        """Return a new connection, None when there is no store, or one that is just being made."""
        if not self._file.exists():
            return None
        con = sqlite3.connect(
            f"{self._file.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=self._timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if layout.check(con, self.directory) is not None:
                return con
        except BaseException:
            con.close()
            raise
        con.close()
        return None


def _checked(row: Sequence[Any]) -> tuple[str, str]:
    key, raw, mode, filename, value = row
    if not raw or type(key) is not str:
        raise refused(key, "a key that is not text")
    return key, checked_text(key, mode, filename, value)


def _storable(vin: str) -> bool:
    """Whether `vin` is valid Unicode: an argument of the command line need not be."""
    return not any("\ud800" <= character <= "\udfff" for character in vin)


def _keys(con: sqlite3.Connection, where: str, parameters: tuple[object, ...], limit: int) -> list[str]:
    sql = f"SELECT key FROM Cache WHERE {where} AND typeof(key) = 'text' ORDER BY key LIMIT {limit}"
    return [key for (key,) in con.execute(sql, parameters)]


def _revision(con: sqlite3.Connection) -> int:
    (revision,) = con.execute("SELECT value FROM fleetflow_vehicles WHERE name = 'revision'").fetchone()
    return int(revision)
