"""The page /jobs: what runs, how well, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Column, ColumnDataSource, Range1d
from bokeh.models.annotations import Legend, LegendItem
from bokeh.models.widgets import Button, DataTable, Div, TextInput
from bokeh.plotting import figure

from fleetflow_ui import words
from fleetflow_ui.actions import Outcome
from fleetflow_ui.actions import act as act_in_thread
from fleetflow_ui.context import Context
from fleetflow_ui.jobs import cards, commands
from fleetflow_ui.jobs.commands import VERBS, Verb
from fleetflow_ui.jobs.reader import JobsReader, State
from fleetflow_ui.jobs.views import PLAIN, JobDetail, JobView
from fleetflow_ui.parts import (
    BAR_CSS,
    CARD_CSS,
    GRID_CSS,
    PAGE_CSS,
    ROW_HEIGHT,
    Act,
    Question,
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
SAVEPOINTS = {
    "name": ("savepoint", 260), "job": ("job", 140), "taken": ("taken (UTC)", 170), "schema": ("schema", 120),
    "bytes": ("size", 100), "problem": ("problem", 260),
}  # fmt: skip
LINES = ("#1f77b4", "#e0a100", "#0a7d4b", "#b3589a", "#c4232f", "#6f7d8c")
"""Told apart by people who confuse red and green, too: they differ in lightness."""
MOST_ROWS = 8


class JobsPage:
    """One session's console: built once, `update` changes columns and words."""

    def __init__(self, context: Context, frame: Frame, reader: JobsReader, act: Act) -> None:
        self._context, self._frame, self._reader, self._act = context, frame, reader, act
        self._job = frame.query.get("job", "")
        self._savepoint = ""
        self._version = -1
        self._busy = ""
        self._named: list[str] = []
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
        self.rates = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": []})
        chart = self._chart()
        self.panel = Column(
            children=[
                self.cards["overview"],
                Column(
                    children=[
                        self.cards["sources"],
                        Column(children=[chart], stylesheets=[CARD_CSS], sizing_mode="stretch_width"),
                    ],
                    css_classes=["four"],
                    stylesheets=[":host { gap: 12px; }"],
                    sizing_mode="stretch_width",
                ),
                *(self.cards[name] for name in self.cards if name not in {"overview", "sources"}),
            ],
            stylesheets=[GRID_CSS],
            sizing_mode="stretch_width",
        )
        self.savepoints = ColumnDataSource({name: [] for name in SAVEPOINTS})
        self.savepoints_table = table(self.savepoints, SAVEPOINTS, "savepoints")
        self.picked_savepoint = picking(self.savepoints_table, self.savepoints, "name", self._on_savepoint)
        self.target = TextInput(
            title="Start the job", placeholder="name of the job", width=200, name="start-job"
        )
        self.start = Button(label="Start from this savepoint", width=190, name="start-from", disabled=True)
        self.delete = Button(
            label="Delete savepoint", button_type="danger", width=140, name="delete-savepoint", disabled=True
        )
        self.start.on_click(self._on_start)
        self.delete.on_click(self._on_delete)
        self.no_savepoints = Div(
            text='<p class="ff-soft">None yet: a savepoint is a named copy from which a job can start.</p>'
        )
        self.saved = Column(
            children=[
                heading("Savepoints"),
                self.no_savepoints,
                scrolling(self.savepoints_table),
                row(self.target, self.start, self.delete, stylesheets=[BAR_CSS], sizing_mode="stretch_width"),
            ],
            stylesheets=[CARD_CSS],
            sizing_mode="stretch_width",
        )
        self.listed = Column(
            children=[heading("Jobs"), scrolling(self.jobs_table), self.bar],
            stylesheets=[CARD_CSS],
            sizing_mode="stretch_width",
        )
        self.root = column(
            self.notice, self.question.root, self.empty, self.listed, self.panel, self.saved,
            stylesheets=[PAGE_CSS], sizing_mode="stretch_width",
        )  # fmt: skip

    def _button(self, verb: Verb) -> Button:
        button = Button(label=verb.label, name=verb.name, button_type=verb.look, disabled=True)  # type: ignore[arg-type] # one of Bokeh's
        button.on_click(partial(self._on_verb, verb))
        return button

    def _chart(self) -> figure:
        plot = figure(
            name="rates",
            title="Pings per second",
            x_axis_type="datetime",
            x_range=Range1d(start=0, end=1),
            y_range=Range1d(start=0, end=1),
            height=170,
            tools="",
            toolbar_location=None,
            sizing_mode="stretch_width",
            css_classes=["chart"],
        )
        self._lines: Any = plot.multi_line("xs", "ys", source=self.rates, line_color="colour", line_width=2)
        plot.xgrid.visible = False
        ticker: Any = plot.xaxis[0].ticker
        ticker.desired_num_ticks = 5
        look: dict[str, Any] = {
            "orientation": "horizontal",
            "border_line_color": None,
            "margin": 0,
            "padding": 0,
        }
        self.legend = Legend(items=[], location="top_left", **look)
        self._plot = plot
        plot.add_layout(self.legend, "above")
        return plot

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
        if state.problem and not self._busy:
            self._say(Outcome(False, state.problem, state.hint))
        self.listed.visible = self.panel.visible = bool(state.jobs)
        self.saved.visible = bool(state.jobs or state.savepoints)
        self._fill(self.jobs, self.jobs_table, cards.columns(state.jobs), shown.name if shown else "", "job")
        self._show_savepoints(state)
        if shown is not None:
            self._show(shown, state.details.get(shown.name))
        self._enable()

    def _show(self, shown: JobView, detail: JobDetail | None) -> None:
        now = time.time()
        put(self.cards["overview"], cards.overview(shown, now))
        put(self.cards["versions"], cards.versions(shown))
        put(self.cards["sources"], cards.sources(shown))
        put(self.cards["dataflow"], cards.dataflow(shown))
        self._draw(shown)
        if detail is not None:
            for name in ("rejects", "restarts", "positions", "notices", "certificates", "log"):
                put(self.cards[name], getattr(cards, name)(detail))

    def _draw(self, shown: JobView) -> None:
        history = self._reader.history(shown.name)
        names = sorted({name for _, rates in history for name in rates})
        moments = [at * 1000 for at, _ in history]
        self.rates.data = {
            "xs": [moments for _ in names],
            "ys": [[round(rates.get(name, 0.0), 2) for _, rates in history] for name in names],
            "name": names,
            "colour": [LINES[index % len(LINES)] for index in range(len(names))],
        }
        if history:
            highest = max([1.0, *(rate for _, rates in history for rate in rates.values())])
            self._plot.x_range.update(start=moments[0], end=max(moments[-1], moments[0] + 60_000))
            self._plot.y_range.update(start=0, end=1.1 * highest)
        if names != self._named:
            self._named = names
            self.legend.items = [
                LegendItem(label={"value": name}, renderers=[self._lines], index=index)
                for index, name in enumerate(names)
            ]

    def _show_savepoints(self, state: State) -> None:
        rows = sorted(state.savepoints, key=lambda each: -(each["created_at"] or 0))[:500]
        columns = {
            "name": [each["name"] for each in rows],
            "job": [each["job"] for each in rows],
            "taken": [
                words.clock(each["created_at"]).removesuffix(" UTC") if each["created_at"] else ""
                for each in rows
            ],
            "schema": [each.get("schema", "") for each in rows],
            "bytes": [cards.size(each["bytes"]) for each in rows],
            "problem": [each["problem"] for each in rows],
        }
        self._fill(self.savepoints, self.savepoints_table, columns, self._savepoint, "name")
        self.no_savepoints.visible = not rows
        self.savepoints_table.visible = self.target.visible = self.start.visible = self.delete.visible = bool(
            rows
        )

    @staticmethod
    def _fill(
        source: ColumnDataSource, shown: DataTable, columns: dict[str, list[str]], chosen: str, key: str
    ) -> None:
        if dict(source.data) != columns:
            source.data = columns
        indices = [columns[key].index(chosen)] if chosen in columns[key] else []
        if list(source.selected.indices) != indices:
            source.selected.indices = indices
        height = ROW_HEIGHT * (min(MOST_ROWS, max(1, len(columns[key]))) + 1) + 4
        if shown.height != height:
            shown.height = height

    def _enable(self) -> None:
        shown = self.shown()
        off = self._context.settings.read_only or bool(self._busy)
        for verb in VERBS:
            possible = shown is not None and shown.name != PLAIN and shown.state in verb.states
            switch(self.buttons[verb.name], off=off or not possible)
        switch(self.start, off=off or not self._savepoint)
        switch(self.delete, off=off or not self._savepoint)
        self.bar.visible = shown is not None and shown.name != PLAIN and not self._context.settings.read_only
        for widget in (self.target, self.start, self.delete):
            widget.visible = bool(self.state.savepoints) and not self._context.settings.read_only

    def _on_job(self, job: str) -> None:
        if job != self._job:
            self._job = job
            self._frame.remember(job=job)
            self.question.close()
            self._version = -1
            self._reader.want(job)
            self._reader.hurry()
            self.update()

    def _on_savepoint(self, name: str) -> None:
        self._savepoint = name
        names = list(self.savepoints.data["name"])
        if name in names:
            self.target.value = str(self.savepoints.data["job"][names.index(name)])
        self.question.close()
        self._enable()

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

    def _on_start(self) -> None:
        job, name = self.target.value.strip(), self._savepoint
        places = commands.places_of(self._context)
        self._begin(
            f"Start {job} from {name}", partial(commands.start_from, self._context, places, name, job)
        )

    def _on_delete(self) -> None:
        name = self._savepoint
        work = partial(commands.delete_savepoint, commands.places_of(self._context), name)
        self.question.ask(
            f"Delete the savepoint {name}? Nothing can be started from it any more.",
            "Yes, delete it",
            partial(self._begin, f"Delete {name}", work),
        )

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
