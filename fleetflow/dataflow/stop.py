"""The wish to end a job cleanly, as one flag per process."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

log = logging.getLogger(__name__)


class StopFlag:
    """Set once, read by every source partition: each then ends, and Bytewax takes its last snapshot."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for a clean end."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether a clean end was asked for."""
        return self._event.is_set()

    def set_on_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for a clean end; a second SIGINT interrupts at once.

        Does nothing outside the main thread, where Python cannot take signals.
        """
        if threading.current_thread() is not threading.main_thread():
            return

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self.is_set() and number == signal.SIGINT:
                raise KeyboardInterrupt
            log.info("%s: stopping after a last snapshot", signal.Signals(number).name)
            self.set()

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
