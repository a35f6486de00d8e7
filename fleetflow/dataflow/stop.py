"""The wish to end a job cleanly, as one flag per process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from types import FrameType

log = logging.getLogger(__name__)

LEFT = 128 + signal.SIGTERM
"""How a process ends that was asked to before its flow ran: not like one that has come to its end."""


class StopFlag:
    """Set once, read by every source partition: each then ends, and Bytewax takes its last snapshot."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._begun = False

    def set(self) -> None:
        """Ask for a clean end."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether a clean end was asked for."""
        return self._event.is_set()

    def begin(self) -> None:
        """Take note that the flow runs: from now on somebody looks at the flag."""
        self._begun = True

    def set_on_signals(self, connects: bool = False) -> None:
        """Let SIGTERM and SIGINT ask for a clean end; a second SIGINT interrupts at once.

        With `connects`, for a process of several, it ends at once, with `LEFT`, while the flow does not run:
        nothing was read yet, and while Bytewax waits for other processes, for however long, it looks at no
        flag and Python takes no signal. Does nothing outside the main thread, where Python cannot take
        signals.
        """
        if threading.current_thread() is not threading.main_thread():
            return

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self.is_set() and number == signal.SIGINT:
                raise KeyboardInterrupt
            log.info("%s: stopping after a last snapshot", signal.Signals(number).name)
            self.set()

        if connects:
            # first: a signal that only sets the flag would be lost
            self._leave_before_it_runs()
        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)

    def _leave_before_it_runs(self) -> None:
        told, tell = socket.socketpair()
        tell.setblocking(False)
        # written to by the interpreter as soon as a signal comes, whatever the main thread waits for
        signal.set_wakeup_fd(tell.detach(), warn_on_full_buffer=False)

        def leave() -> None:
            with told:
                while number := told.recv(1):
                    if number[0] in (signal.SIGTERM, signal.SIGINT) and not self._begun:
                        os._exit(LEFT)

        threading.Thread(target=leave, name="leave", daemon=True).start()
