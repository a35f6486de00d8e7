"""Work that must not hold up the server's loop, on which all sessions depend."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from bokeh.document import Document

from fleetflow.errors import FleetflowError

log = logging.getLogger(__name__)
THREADS = 4
T = TypeVar("T")


class Ask(Protocol):
    """Does `work` elsewhere, then calls `done` with its result, back where widgets may be touched."""

    def __call__(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Begin; returns at once."""
        ...


def in_words(error: Exception) -> tuple[str, str]:
    """Return message and hint of whatever went wrong; what is not ours is logged with its traceback."""
    if isinstance(error, FleetflowError):
        return error.message, error.hint
    log.error("a page's work failed", exc_info=error)
    return f"it failed: {type(error).__name__}: {error}", "the log of `fleetflow ui` has more"


@functools.cache
def pool() -> ThreadPoolExecutor:
    """Return the threads that all sessions share."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="page")


def asker(document: Document) -> Ask:
    """Return how the session of `document` asks for work; what ends after the session did is dropped.

    `work` says what went wrong in its result: an exception of it is logged and `done` is not called.
    """

    def ask(work: Callable[[], T], done: Callable[[T], None]) -> None:
        def finished(future: Future[Any]) -> None:
            error = future.exception()
            if error is not None:
                log.error("a page's work failed", exc_info=error)
            elif document.session_context is not None and not document.session_context.destroyed:
                document.add_next_tick_callback(functools.partial(done, future.result()))

        pool().submit(work).add_done_callback(finished)

    return ask
