"""The wish to stop: from a signal, from the program, or from a test."""

from __future__ import annotations

import select
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Self


class Stop:
    """Within `with`, SIGTERM and SIGINT set it; afterwards they do again what they did before.

    A `threading.Event` will not do: set by a signal handler in the thread that waits for it, it can wait
    for its own lock.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._reader, self._writer = socket.socketpair()
        self._before: dict[int, signal.Handlers | object] = {}

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._stopped

    def set(self) -> None:
        """Stop, and wake who waits."""
        if not self._stopped:
            self._stopped = True
            self._writer.send(b"x")

    def wait(self, seconds: float) -> bool:
        """Wait for at most `seconds`; return whether to stop."""
        if not self._stopped:
            select.select([self._reader], [], [], max(0.0, seconds))
        return self._stopped

    def __enter__(self) -> Self:
        # signals reach the main thread alone; in others somebody calls `set`
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal itself returned
        self._reader.close()
        self._writer.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.set()
