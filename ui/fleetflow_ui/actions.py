"""What readers may do, and not only see: each action has one outcome; read-only refuses it."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bokeh.document import Document

from fleetflow.errors import FleetflowError
from fleetflow_ui.background import in_words
from fleetflow_ui.context import Context

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action: what it said, or why it did not happen and what to do."""

    good: bool
    message: str
    hint: str = ""


def may_change(context: Context) -> None:
    """Raise FleetflowError when the dashboard is read-only. Whatever changes something asks here first."""
    if context.settings.read_only:
        raise FleetflowError(
            "this dashboard is read-only", "use the command line, or a dashboard without --read-only"
        )


def act(
    context: Context, document: Document, what: str, work: Callable[[], str], done: Callable[[Outcome], None]
) -> None:
    """Do `work` in a thread of its own and tell `done` the outcome; returns at once.

    It goes on when the session ends meanwhile. `work` returns what it did, in words.
    """

    def tell(outcome: Outcome) -> None:
        session = document.session_context
        if session is not None and not session.destroyed:
            document.add_next_tick_callback(functools.partial(done, outcome))

    def run() -> None:
        try:
            may_change(context)
            log.info("%s", what)
            outcome = Outcome(True, work())
        except Exception as error:
            outcome = Outcome(False, *in_words(error))
            log.warning("%s: %s", what, outcome.message)
        tell(outcome)

    # not of a pool: the interpreter would wait for its threads at the end, and an action may take a minute
    threading.Thread(target=run, name="action", daemon=True).start()
