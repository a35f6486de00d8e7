"""The page /jobs: what runs, how well, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Button, Div, TextInput

from fleetflow_ui import words
from fleetflow_ui.actions import Outcome
from fleetflow_ui.actions import act as act_in_thread
from fleetflow_ui.context import Context
from fleetflow_ui.jobs import cards, commands
from fleetflow_ui.jobs.commands import VERBS, Verb
from fleetflow_ui.jobs.rates import RatesChart
from fleetflow_ui.jobs.reader import JobsReader, State
from fleetflow_ui.jobs.savepoints import Savepoints
from fleetflow_ui.jobs.views import PLAIN, JobDetail, JobView
from fleetflow_ui.parts import (
    BAR_CSS,
    CARD_CSS,
    PAGE_CSS,
    Act,
    Question,
    fill,
    grid,
    heading,
    picking,
    put,
    scrolling,
    switch,
    table,
)
from fleetflow_ui.shell import Frame, dress

TITLES = {
    "job": ("job", 180), "state": ("state", 100), "rate": ("pings/s", 90), "lag": ("lag", 90),
    "behind": ("behind", 130), "rejects": ("rejects", 80), "size": ("workers", 80), "uptime": ("up for", 100),
    "restarts": ("restarts", 80), "snapshot": ("last snapshot", 120),
}  # fmt: skip


class JobsPage:
    """One session's console: built once, `update` changes columns and words."""

    def __init__(self, context: Context, frame: Frame, reader: JobsReader, act: Act) -> None:
        self._context, self._frame, self._reader, self._act = context, frame, reader, act
        self._job = frame.query.get("job", "")
        self._version = -1
        self._busy = ""
        self._problem = ""
        self._build()

    def _build(self) -> None:
        self.notice = Div(name="notice", visible=False, sizing_mode="stretch_width")
        self.empty = Div(name="empty", visible=False, sizing_mode="stretch_width")
        self.jobs = ColumnDataSource({name: [] for name in TITLES})
        self.jobs_table = table(self.jobs, TITLES, "jobs")
        self.picked_job = picking(self.jobs_table, self.jobs, "job", self._on_job)
        self.name = TextInput(
            title="Name of the savepoint", placeholder="job and time", width=220, name="savepoint-name"
        )
        self.buttons = {verb.name: self._button(verb) for verb in VERBS}
        self.bar = row(self.name, *self.buttons.values(), stylesheets=[BAR_CSS], sizing_mode="stretch_width")
        self.question = Question()
        self.cards = {
            name: Div(
                name=name, css_classes=[width], stylesheets=[cards.CSS], sizing_mode="stretch_width", margin=0
            )
            for name, width in {
                "overview": "two", "sources": "four", "dataflow": "six", "rejects": "two", "restarts": "two",
                "versions": "two", "positions": "three", "notices": "three", "certificates": "three",
                "log": "three",
            }.items()
        }  # fmt: skip
        self.chart = RatesChart()
        beside = Column(
            children=[
                self.cards["sources"],
                Column(children=[self.chart.plot], stylesheets=[CARD_CSS], sizing_mode="stretch_width"),
            ],
            css_classes=["four"],
            stylesheets=[":host { gap: 12px; }"],
            sizing_mode="stretch_width",
        )
        others = (self.cards[name] for name in self.cards if name not in {"overview", "sources"})
        self.panel = grid(self.cards["overview"], beside, *others)
        self.saved = Savepoints(self._context, self.question, self._begin)
        self.listed = Column(
            children=[heading("Jobs"), scrolling(self.jobs_table), self.bar],
            stylesheets=[CARD_CSS],
            sizing_mode="stretch_width",
        )
        self.root = column(
            self.notice, self.question.root, self.empty, self.listed, self.panel, self.saved.root,
            stylesheets=[PAGE_CSS], sizing_mode="stretch_width",
        )  # fmt: skip

    def _button(self, verb: Verb) -> Button:
        button = Button(label=verb.label, name=verb.name, button_type=verb.look, disabled=True)  # type: ignore[arg-type] # one of Bokeh's
        button.on_click(partial(self._on_verb, verb))
        return button

    @property
    def state(self) -> State:
        """The newest look at the jobs."""
        return self._reader.state

    def shown(self) -> JobView | None:
        """Return the selected job: the first when none was chosen."""
        jobs = self.state.jobs
        return next((job for job in jobs if job.name == self._job), jobs[0] if jobs else None)

    def update(self) -> None:
        """Show what has changed since the last look."""
        shown = self.shown()
        self._reader.want(shown.name if shown else "")
        state = self.state
        if state.version == self._version:
            return
        self._version = state.version
        put(
            self.empty,
            ""
            if state.jobs or state.version == 0
            else words.empty(
                "No job yet",
                "A job outlives the shell that started it. It can be suspended, upgraded, and started again"
                " from a savepoint.",
                "fleetflow submit -n trucks",
            ),
        )
        if not self._busy and state.problem != self._problem:
            self._problem = state.problem
            put(self.notice, words.note(state.problem, "bad", state.hint) if state.problem else "")
        self.listed.visible = self.panel.visible = bool(state.jobs)
        self.saved.root.visible = bool(state.jobs or state.savepoints)
        fill(self.jobs, self.jobs_table, cards.columns(state.jobs), shown.name if shown else "", "job")
        self.saved.show(state.savepoints)
        if shown is not None:
            self._show(shown, state.details.get(shown.name))
        self._enable()

    def _show(self, shown: JobView, detail: JobDetail | None) -> None:
        now = time.time()
        put(self.cards["overview"], cards.overview(shown, now))
        put(self.cards["versions"], cards.versions(shown))
        put(self.cards["sources"], cards.sources(shown))
        put(self.cards["dataflow"], cards.dataflow(shown))
        self.chart.show(self._reader.history(shown.name))
        if detail is not None:
            for name in ("rejects", "restarts", "positions", "notices", "certificates", "log"):
                put(self.cards[name], getattr(cards, name)(detail))

    def _enable(self) -> None:
        shown = self.shown()
        off = self._context.settings.read_only or bool(self._busy)
        for verb in VERBS:
            possible = shown is not None and shown.name != PLAIN and shown.state in verb.states
            switch(self.buttons[verb.name], off=off or not possible)
        self.saved.enable(off)
        self.bar.visible = shown is not None and shown.name != PLAIN and not self._context.settings.read_only

    def _on_job(self, job: str) -> None:
        if job != self._job:
            self._job = job
            self._frame.remember(job=job)
            self.question.close()
            self._version = -1
            self._reader.want(job)
            self._reader.hurry()
            self.update()

    def _on_verb(self, verb: Verb) -> None:
        shown = self.shown()
        if shown is None:
            return
        name = self.name.value.strip() or commands.savepoint_name(shown.name, time.time())
        places = commands.places_of(self._context)
        work = commands.of_verb(places, verb.name, shown.name, name)
        begin = partial(self._begin, f"{verb.label}: {shown.name}", work)
        if verb.question:
            self.question.ask(verb.question.format(job=shown.name), f"Yes, {verb.label.lower()}", begin)
        else:
            begin()

    def _begin(self, what: str, work: Callable[[], str]) -> None:
        self._busy = what
        put(self.notice, words.note(f"{what} …"))
        self._enable()
        self._act(what, work, self._ended)

    def _ended(self, outcome: Outcome) -> None:
        self._busy = ""
        self.name.value = ""
        self._reader.hurry()
        self._say(outcome)
        self._enable()

    def _say(self, outcome: Outcome) -> None:
        put(self.notice, words.note(outcome.message, "good" if outcome.good else "bad", outcome.hint))


def build(document: Document, context: Context) -> None:
    """Fill a document for one session."""
    frame = dress(document, context, "jobs", "Jobs")
    reader = context.shared.get("jobs.reader", lambda: JobsReader(context))

    def act(what: str, work: Callable[[], str], done: Callable[[Outcome], None]) -> None:
        act_in_thread(context, document, what, work, done)

    page = JobsPage(context, frame, reader, act)
    document.add_root(page.root)
    frame.every(min(1.0, context.settings.refresh_s), page.update)
