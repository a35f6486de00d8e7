"""The processes of a job on one machine find each other without a pause."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

LISTENING = "0A"
"""The state of a socket that listens, see proc_net_tcp in the kernel's documentation."""
HERE = ("127.", "localhost:")
LOOK_EVERY_S = 0.005
MOST_S = 1.5
"""How long others are waited for: hardly more than what is to be saved."""


def wait_for_lower(
    number: int,
    addresses: Sequence[str],
    tables: Sequence[Path] = (Path("/proc/net/tcp"), Path("/proc/net/tcp6")),
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return when the processes before `number` listen on their addresses on this machine.

    Each process of Bytewax connects to those before it, and when one does not listen yet it sleeps for a
    second: half of all starts took a second more. A connection would be taken for one of the job's own, so
    the kernel is asked who listens. Does nothing for other machines, and on systems other than Linux.
    """
    wanted = {
        int(address.rpartition(":")[2])
        for address in addresses[:number]
        if address.startswith(HERE) and address.rpartition(":")[2].isdigit()
    }
    deadline = clock() + MOST_S
    while clock() < deadline:
        told = [ports for ports in map(_listening, tables) if ports is not None]
        if not told or wanted <= set[int]().union(*told):
            return
        sleep(LOOK_EVERY_S)


def _listening(table: Path) -> set[int] | None:
    """Return the ports on which somebody listens, None where that is not told."""
    try:
        lines = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    rows = [line.split() for line in lines]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING}
