"""How far one file was read, and by what it is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleetflow.errors import StoreError
from fleetflow_alpha.names import to_key, to_name

VERSION = 2
"""Version of the stored position. Before 2 files were shared out among partitions in another way."""

HEAD_BYTES = 4096
"""How many bytes from a file's beginning, at most, are compared when the file has changed."""

TAIL_BYTES = 4096
"""How many bytes before the offset, at most, are compared when the file has changed."""


class Look(NamedTuple):
    """What `stat` tells of a file: equal for two looks when nothing was written between them."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


NEVER = Look(0, 0, 0, 0)
"""The look of a file that was not looked at yet."""
WRITTEN = Look(0, -3, 0, 0)
"""In place of the look of a file that is known and was written to: opening it will tell more."""


@dataclass(slots=True, eq=False)
class FileState:
    """One file, known by name. The first group is stored in the position, the second is derived again.

    `crc` is the CRC-32 of the bytes 0..`offset` of this generation, `head_crc` of the first `head_bytes`
    of them, `tail_crc` of the last `tail_bytes`. `look` is the file's at the last visit. `deleted_at` is
    seconds since 1970, 0 while the file is there.
    """

    name: str
    key: str
    generation: int = 1
    offset: int = 0
    crc: int = 0
    head_bytes: int = 0
    head_crc: int = 0
    tail_bytes: int = 0
    tail_crc: int = 0
    look: Look = NEVER
    deleted_at: int = 0

    present: bool = True
    """Whether the directory has a file of this name."""
    searched: int = 0
    """No newline is between `offset` and this place: it is not searched again."""
    size: int = 0
    """The last known size of what is being read."""
    behind: int = 0
    """Bytes that were not looked through yet, as counted in the partition's sum."""
    told_long: bool = False
    """Whether the endless line at `offset` was reported."""
    failures: int = 0
    """How often opening or reading failed since it last worked."""
    compared: tuple[int, int, int] = (0, 0, 0)
    """A comparison under way with a file of another inode: inode, bytes compared, their CRC-32."""
    alias: str = ""
    """The name that the file was rotated to while bytes of it were unread."""
    rotated_to: str = ""
    """The name under which the file was found and read to its end; what bears its own is to be judged."""
    quiet_since: float = 0.0
    """Since when (monotonic) nothing was written to `alias`."""

    @classmethod
    def new(cls, name: str) -> FileState:
        """Return the state of a file of which nothing was read."""
        return cls(name, to_key(name))

    def begin(self, look: Look) -> None:
        """Start the next generation: other content under the same name, read from 0.

        A generation of which nothing was emitted keeps its number.
        """
        self.generation += self.offset > 0
        self.offset = self.crc = self.searched = 0
        self.head_bytes = self.head_crc = self.tail_bytes = self.tail_crc = 0
        self.look, self.size = look, look.size
        self.told_long, self.compared = False, (0, 0, 0)
        self.alias = self.rotated_to = ""

    def pack(self) -> tuple[int, ...]:
        """Return what is stored: numbers only."""
        return (
            self.generation,
            self.offset,
            self.crc,
            self.head_bytes,
            self.head_crc,
            self.tail_bytes,
            self.tail_crc,
            *self.look,
            self.deleted_at,
        )

    @classmethod
    def unpack(cls, key: str, values: tuple[int, ...]) -> FileState:
        """Return the state of which `pack` made `values`."""
        generation, offset, crc, head_bytes, head_crc, tail_bytes, tail_crc, *look, deleted_at = values
        state = cls(
            to_name(key),
            key,
            generation=generation,
            offset=offset,
            crc=crc,
            head_bytes=head_bytes,
            head_crc=head_crc,
            tail_bytes=tail_bytes,
            tail_crc=tail_crc,
            look=Look(*look),
            deleted_at=deleted_at,
        )
        state.searched, state.size = state.offset, max(state.offset, state.look.size)
        return state


def load(position: Any | None, partition: str) -> dict[str, FileState]:
    """Return the files of a stored position, by name; raises StoreError for one of another version."""
    if position is None:
        return {}
    version = position.get("v") if isinstance(position, Mapping) else None
    if version != VERSION:
        raise StoreError(
            f"the stored position of {partition} has version {version}, fleetflow-alpha reads {VERSION}",
            "install the fleetflow-alpha that wrote it, or start fresh",
        )
    states = (FileState.unpack(key, tuple(values)) for key, values in position["files"].items())
    return {state.name: state for state in states}
