"""What is known of a job, as HTML. Whatever comes from files and vendors is escaped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from fleetflow_ui import words
from fleetflow_ui.jobs import graph
from fleetflow_ui.jobs.views import PLAIN, JobDetail, JobView
from fleetflow_ui.parts import HTML_CSS, card
from fleetflow_ui.words import Tone, text

TONES: dict[str, Tone] = {
    "running": "good",
    "completed": "good",
    "starting": "warn",
    "stopping": "warn",
    "backing-off": "warn",
    "interrupted": "bad",
    "failed": "bad",
    "unreadable": "bad",
}
STOPPED: dict[str, tuple[str, str]] = {
    "suspended": ("It ended cleanly, after a last snapshot.", "Resume goes on exactly there."),
    "interrupted": (
        "It should run, and nobody supervises it: as after a reboot or a kill.",
        "Resume goes on from its last snapshot; no ping is missed.",
    ),
    "cancelled": ("It ended for good.", "It goes on from a savepoint, or is submitted again."),
}
"""What a job that reads no more was stopped by, and what to do."""
VERDICTS: dict[str, Tone] = {"whole": "good", "lost upstream": "warn"}
CSS = (
    HTML_CSS
    + """
.ff-card { overflow-x: auto; }
td, th { white-space: nowrap; }
td:last-child { white-space: normal; }
.scroll { overflow-x: auto; }
.log {
  max-height: 260px; overflow: auto; padding: 10px 12px; background: var(--sunken); border-radius: 8px;
  font-size: 12px;
}
.title { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: baseline; margin: 0 0 10px; }
.title h2 { font-size: 18px; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: 8px 0; }
summary { cursor: pointer; }
details pre { margin-top: 8px; font-size: 12px; }
svg { display: block; width: 100%; height: auto; margin: 0 auto; font-family: var(--font); }
.node rect { fill: var(--surface); stroke: var(--line); stroke-width: 1.2; }
.node.source rect { fill: var(--accent-soft); stroke: var(--accent); }
.node.sink rect { fill: var(--sunken); stroke: var(--soft); }
.node text { text-anchor: middle; fill: var(--ink); }
.node .name { font-size: 12.5px; font-weight: 600; }
.node .below { font-size: 10.5px; fill: var(--soft); }
.edge { fill: none; stroke: var(--line); stroke-width: 1.6; }
.edge.flows { stroke: var(--accent); stroke-width: 2; }
.edge.bad { stroke: var(--bad); stroke-width: 2; }
.plate { fill: var(--surface); }
.rate {
  font-size: 10.5px; font-weight: 600; text-anchor: middle; fill: var(--soft);
  font-variant-numeric: tabular-nums;
}
.rate.flows { fill: var(--accent); }
.rate.bad { fill: var(--bad); }
"""
)


def size(count: int) -> str:
    """Return a number of bytes for people."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError


def rate(value: float | None) -> str:
    """Return a rate, or a dash while it is not known."""
    return "-" if value is None else f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:,.1f}"


def overview(shown: JobView, now: float) -> str:
    """Return state, reason, sizes and versions of a job."""
    state = words.badge(shown.state, TONES.get(shown.state, ""))
    heading = (
        f'<div class="title"><h2>{text(shown.name)}</h2>{state}'
        + ("" if not shown.alive or shown.healthy else words.badge("no snapshot yet", "warn"))
        + "</div>"
    )
    notes = ""
    if shown.problem:
        notes += words.note(shown.problem, "bad", shown.hint)
    if shown.reason and shown.state not in {"running", "completed", "cancelled", "suspended"}:
        notes += words.note(f"{shown.state}: {shown.reason}", "bad" if shown.state == "failed" else "warn")
    if shown.state in STOPPED:
        what, hint = STOPPED[shown.state]
        notes += words.note(what, TONES.get(shown.state, ""), hint)
    if shown.name == PLAIN:
        notes += words.note(
            "Started on a command line, outside of the jobs: end it there. A job made by fleetflow submit can"
            " be looked after here."
        )
    described = shown.description
    schema = described.get("schema", {})
    facts = {
        "up for": words.duration(now - shown.reading_since) if shown.reading_since else "",
        "in this state for": words.duration(now - shown.since) if shown.since else "",
        "workers": _workers(shown),
        "process ids": ", ".join(map(str, shown.pids)),
        "last snapshot": words.ago(now - shown.snapshot_at) if shown.snapshot_at else "none yet",
        "snapshots": f"every {shown.snapshot_s} s, epoch {shown.epoch:,}",
        "recovery store": size(shown.snapshot_bytes),
        "restarts": f"{shown.restarts:,}",
        "release": str(shown.release) if shown.release else "",
        "started from": shown.started_from,
        "ping schema": f"{schema.get('name', '')} {schema.get('version', '')}".strip(),
    }
    return (
        f'<section class="ff-card">{heading}{notes}'
        f"{words.facts({name: value for name, value in facts.items() if value})}</section>"
    )


def _workers(shown: JobView) -> str:
    return f"{shown.workers}" if shown.processes == 1 else f"{shown.workers} in each of {shown.processes}"


def versions(shown: JobView) -> str:
    """Return the versions of everything that the job runs."""
    found: Mapping[str, Any] = {
        **shown.description.get("versions", {}), **shown.description.get("distributions", {})
    }  # fmt: skip
    inside = words.facts(dict(sorted(found.items()))) if found else '<p class="ff-soft">Not known.</p>'
    return card("Versions", inside)


def sources(shown: JobView) -> str:
    """Return the account of each source."""
    titles = ["source", "pings/s", "lag", "behind", "read", "applied", "superseded", "rejects", "unaccounted"]
    rows = []
    for name, source in shown.sources.items():
        counts = source.counts
        rows.append(
            (
                name,
                rate(source.rate),
                "-" if source.lag_s is None else words.duration(source.lag_s),
                f"{source.behind:,} {source.unit}".strip(),
                *(f"{getattr(counts, key):,}" for key in ("read", "applied", "superseded", "quarantined")),
                f"{counts.read - counts.settled:,}",
            )
        )
    if not rows:
        why = "This job keeps no ledger." if shown.ledger is None else "Nothing was read yet."
        return card("Sources", f'<p class="ff-soft">{text(why)}</p>')
    return card("Sources", f'<div class="scroll">{words.table(titles, rows, range(1, 9))}</div>')


def dataflow(shown: JobView) -> str:
    """Return the drawn graph, with pings per second on its edges."""
    drawn = graph.draw(*graph.nodes_and_edges(shown))
    inside = f'<div class="scroll">{drawn}</div>' if drawn else '<p class="ff-soft">Not known.</p>'
    return card("Dataflow, in pings per second", inside)


def rejects(detail: JobDetail) -> str:
    """Return how many rejects there are by rule."""
    if detail.problem:
        return card("Rejects by rule", words.note(detail.problem, "bad"))
    if not detail.rejects:
        return card("Rejects by rule", '<p class="ff-soft">None: every record was a valid ping.</p>')
    rows = [(rule, f"{count:,}") for rule, count in detail.rejects.items()]
    return card(
        "Rejects by rule",
        words.table(["rule", "rejects"], rows, [1]) + '<p><a href="quality">Look at them</a></p>',
    )


def restarts(detail: JobDetail) -> str:
    """Return when and why the job was restarted."""
    if not detail.restarts:
        return card("Restarts", '<p class="ff-soft">None since its log began.</p>')
    rows = [(when.replace("T", " ").partition(".")[0], why) for when, why in detail.restarts]
    return card("Restarts", words.table(["when (UTC)", "why"], rows))


def notices(detail: JobDetail) -> str:
    """Return what the sources noticed."""
    if not detail.notices:
        return card("Noticed by sources", '<p class="ff-soft">Nothing: no gaps, restarts or errors.</p>')
    rows = [
        (words.clock(at).removesuffix(" UTC"), source, kind, why) for at, source, kind, why in detail.notices
    ]
    return card("Noticed by sources", words.table(["when (UTC)", "source", "kind", "what"], rows))


def positions(detail: JobDetail) -> str:
    """Return how far each resource was read."""
    if not detail.positions:
        return card("Positions", '<p class="ff-soft">Nothing was read yet.</p>')
    rows = [
        (source, resource, f"{start:,}", f"{end:,}", f"{records:,}")
        for source, _, resource, start, end, records in detail.positions
    ]
    shown = len({(each[0], each[1], each[2]) for each in detail.positions})
    some = f"{shown:,} of {detail.resources:,} resources; all: <code>fleetflow ledger ranges</code>"
    more = "" if shown >= detail.resources else f'<p class="ff-soft">{some}</p>'
    table = words.table(["source", "resource", "from", "to", "records"], rows, [2, 3, 4])
    return card("Positions", f'<div class="log">{table}</div>{more}')


def certificates(detail: JobDetail) -> str:
    """Return what upgrades and audits certified, each with its text to unfold."""
    if not detail.certificates:
        return card(
            "Certificates",
            '<p class="ff-soft">None yet: each upgrade and <code>fleetflow audit</code> writes one.</p>',
        )
    items = "".join(
        f"<details><summary>{text(words.clock(each.time) if each.time else each.name)} {text(each.kind)} "
        f"{words.badge(each.verdict, VERDICTS.get(each.verdict, 'bad'))}</summary>"
        f"<pre>{_lines(each.text.splitlines())}</pre></details>"
        for each in detail.certificates
    )
    return card("Certificates", items)


def log(detail: JobDetail) -> str:
    """Return the last lines of the log."""
    if not detail.log:
        return card("Log", '<p class="ff-soft">Empty.</p>')
    return card("Log", f'<pre class="log" tabindex="0" aria-label="Log">{_lines(detail.log)}</pre>')


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(text(line) for line in lines)


def columns(jobs: Sequence[JobView]) -> dict[str, list[str]]:
    """Return the columns of the table of jobs, as text."""
    now = time.time()
    return {
        "job": [each.name for each in jobs],
        "state": [each.state for each in jobs],
        "rate": [rate(each.rate) for each in jobs],
        "lag": ["-" if each.lag_s is None else words.duration(each.lag_s) for each in jobs],
        "behind": [
            ", ".join(f"{s.behind:,} {s.unit}" for s in each.sources.values() if s.behind) or "0"
            for each in jobs
        ],
        "rejects": [f"{each.rejects:,}" for each in jobs],
        "size": [_workers(each) for each in jobs],
        "uptime": [words.duration(now - each.reading_since) if each.reading_since else "-" for each in jobs],
        "restarts": [f"{each.restarts:,}" for each in jobs],
        "snapshot": [words.ago(now - each.snapshot_at) if each.snapshot_at else "-" for each in jobs],
    }
