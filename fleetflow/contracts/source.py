"""Reading payloads from outside, from a position."""

from collections.abc import Sequence
from typing import Any, Protocol

from fleetflow.contracts.payload import Notice, Payload

Emission = Payload | Notice
"""What a source partition hands on."""


class SourcePartition(Protocol):
    """One part of a source, with its own position. Used by one thread.

    None of the methods may wait for the network or for anything else: a partition that blocks stalls
    every other partition of the worker. Fetch in a thread of your own and drain a queue in `poll`.
    """

    def poll(self, max_bytes: int) -> Sequence[Emission]:
        """Return what is there now, about `max_bytes` of payload at most; an empty sequence if nothing.

        Bad input is emitted (it becomes a reject) or told in a `Notice`; only bugs raise.
        """
        ...

    def next_poll_s(self) -> float:
        """Seconds until `poll` may have something again; 0 when there is more at once."""
        ...

    def caught_up(self) -> bool:
        """Whether everything that was there at some moment after the last `poll` began has been emitted.

        A run with `--once` ends the partition when this is true.
        """
        ...

    def position(self) -> Any:
        """Return how far was emitted (not fetched), as plain tuples, dicts, strings, numbers and bytes.

        It is pickled into the recovery store: never a class of the plugin's own, and with a version
        (`{"v": 1, ...}`) so that a later plugin can read it.
        """
        ...

    def close(self) -> None:
        """Let go of threads, files and connections; called once, also after an error."""
        ...


class Source(Protocol):
    """A plugin's way into fleetflow. Rewindable: from a position everything after it can be read again."""

    name: str
    """Stored with every ping and in the recovery store: never changes."""

    def partitions(self) -> Sequence[str]:
        """Return the names of all partitions: fixed while the configuration is, whatever there is to read.

        They are stored data: a resumed job must find each stored name again.
        """
        ...

    def open(self, partition: str, position: Any | None) -> SourcePartition:
        """Open `partition` where `position` (from `SourcePartition.position`) ended; None: the beginning."""
        ...
