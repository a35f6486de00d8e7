"""Whose rejects there are, and putting them back through."""

from __future__ import annotations

from pathlib import Path

from fleetflow.quarantine.settings import folder_of
from fleetflow.quarantine.store import QuarantineStore, Selection
from fleetflow_ui import words
from fleetflow_ui.context import Context
from fleetflow_ui.jobs.reader import JobsReader


def requeue(folder: Path, selection: Selection) -> str:
    """Put rejects back through; returns what was done."""
    store = QuarantineStore(folder)
    try:
        count = store.requeue(selection)
    finally:
        store.close()
    if not count:
        return "Nothing was requeued: somebody else has done it meanwhile"
    return f"{words.count(count, 'reject')} requeued: the running job reads them now, or the next one"


def folders_of(context: Context) -> dict[str, Path]:
    """Return the quarantines there are, by whose they are: jobs may have their own."""
    own = folder_of(context.configuration)
    found = {"this folder": own}
    reader = context.shared.get("jobs.reader", lambda: JobsReader(context))
    for job in reader.state.jobs:
        if job.quarantine is not None and job.quarantine not in found.values():
            found[job.name] = job.quarantine
    return found
