"""What Python keeps for threads that it did not start, such as those of Bytewax's workers."""

from __future__ import annotations

import ctypes
import threading

_KEPT = threading.local()


def keep_state() -> None:
    """Let Python keep its state of this thread, rather than make a new one for each call.

    Whoever calls Python from a thread that it does not know has a state made for that call alone, with memory
    for its frames that the kernel has to find, clear and take away again: some 20 us, which is more than most
    steps of a quiet job take. And what is `threading.local` would be forgotten with it. Costs nothing in a
    thread that Python has started itself. The state is freed with the interpreter.
    """
    if not hasattr(_KEPT, "state"):
        # one more than is ever released; see PyGILState_Ensure in Python's C API
        _KEPT.state = ctypes.pythonapi.PyGILState_Ensure()
