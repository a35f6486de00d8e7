"""What must be said over the map: why there are no vehicles, or no news, or none like those chosen."""

from __future__ import annotations

from fleetflow.builtin.jobs.options import places_of
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import jobs_in
from fleetflow_ui import words
from fleetflow_ui.context import Context
from fleetflow_ui.map.filters import Choice

QUIET_S = 30.0
"""Without any change for so long, the page asks whether the job has stopped."""


def notice(context: Context, choice: Choice, now: float, missing: str = "") -> str:
    """Return the words as HTML, empty when there is nothing to be said.

    `missing`: the VIN that the page's address asks for and nobody has heard of.
    """
    return _of_map(context, now) or _of_wishes(context, choice, now, missing)


def _of_map(context: Context, now: float) -> str:
    fleet = context.reader.fleet
    if fleet.problem:
        return words.note(
            "The vehicles map cannot be read.", "bad", fleet.problem[:1].upper() + fleet.problem[1:]
        )
    if not len(fleet) and not fleet.whole:
        return words.note("Reading the vehicles map …")
    if not len(fleet):
        return words.note(
            "No vehicle yet.", "", "The map fills when a job runs: `fleetflow run`, or `fleetflow demo`."
        )
    quiet_s = now - fleet.changed_at
    if quiet_s > max(QUIET_S, 10 * context.settings.refresh_s):
        return words.note(
            f"No news for {words.duration(quiet_s - quiet_s % 10)}: has the job stopped?",
            "warn",
            f"What you see is the last known state. {job_states(context)}".strip(),
        )
    return ""


def _of_wishes(context: Context, choice: Choice, now: float, missing: str) -> str:
    if missing:
        return words.note(
            f"No vehicle has the VIN {missing}.", "warn", "It is selected as soon as its first ping comes."
        )
    fleet = context.reader.fleet
    if choice:
        with fleet.lock:
            some = bool(choice.shown(fleet, now, context.settings.stale_s).any())
        if not some:
            return words.note("No vehicle is like what you chose.", "", "Choose less, or Show all.")
    return ""


def job_states(context: Context) -> str:
    """Return the states of the supervised jobs, as plain text; empty when there are none."""
    try:
        told = [job.truth() for job in jobs_in(places_of(context.configuration).jobs)]
    except (FleetflowError, KeyError):
        # the page /jobs tells what is wrong with them, or the plugin of the jobs is off
        return ""
    return ", ".join(f"Job {each['name']}: {each['state']}" for each in told)
