"""What must be said over the map: why there are no vehicles, or no news, or none like those chosen."""

from __future__ import annotations

from fleetflow.builtin.jobs.options import places_of
from fleetflow.errors import FleetflowError
from fleetflow.jobs.model import jobs_in
from fleetflow_ui import words
from fleetflow_ui.context import Context
from fleetflow_ui.map.filters import Choice

STOPPED = ("suspended", "interrupted", "failed")
"""A job that reads nothing, and will again when somebody resumes it."""
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
        states = job_states(context)
        stopped = [f"the job {name} is {state}" for name, state in states.items() if state in STOPPED]
        # another one may run, or be one that nobody supervises
        why = stopped[0] if len(stopped) == len(states) == 1 else "has the job stopped?"
        known = {} if why in stopped else states
        told = ", ".join(f"Job {name}: {state}" for name, state in known.items())
        return words.note(
            f"No news for {words.duration(quiet_s - quiet_s % 10)}: {why}",
            "warn",
            f"What you see is the last known state. {told}".strip(),
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


def job_states(context: Context) -> dict[str, str]:
    """Return the states of the supervised jobs, by name; empty when there are none."""
    try:
        told = [job.truth() for job in jobs_in(places_of(context.configuration).jobs)]
        return {each["name"]: each["state"] for each in told}
    except (FleetflowError, KeyError):
        # the page /jobs tells what is wrong with them, or the plugin of the jobs is off
        return {}
