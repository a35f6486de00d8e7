"""The list of savepoints, and what can be done with one: start a job from it, delete it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bokeh.layouts import row
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Button, Div, TextInput

from fleetflow_ui import words
from fleetflow_ui.context import Context
from fleetflow_ui.jobs import cards, commands
from fleetflow_ui.parts import BAR_CSS, CARD_CSS, Question, fill, heading, picking, scrolling, switch, table

TITLES = {
    "name": ("savepoint", 260), "job": ("job", 140), "taken": ("taken (UTC)", 170), "schema": ("schema", 120),
    "bytes": ("size", 100), "problem": ("problem", 260),
}  # fmt: skip
MOST = 500
Begin = Callable[[str, Callable[[], str]], None]


class Savepoints:
    """One session's list; `begin` is called with what is wanted, in words, and the work."""

    def __init__(self, context: Context, question: Question, begin: Begin) -> None:
        self._context, self._question, self._begin = context, question, begin
        self._chosen = ""
        self._off = True
        self.source = ColumnDataSource({name: [] for name in TITLES})
        self.table = table(self.source, TITLES, "savepoints")
        self.picked = picking(self.table, self.source, "name", self._on_pick)
        self.target = TextInput(
            title="Start the job", placeholder="name of the job", width=200, name="start-job"
        )
        self.start = Button(label="Start from this savepoint", width=190, name="start-from", disabled=True)
        self.delete = Button(
            label="Delete savepoint", button_type="danger", width=140, name="delete-savepoint", disabled=True
        )
        self.start.on_click(self._on_start)
        self.delete.on_click(self._on_delete)
        self.none = Div(
            text='<p class="ff-soft">None yet: a savepoint is a named copy from which a job can start.</p>'
        )
        self.bar = row(
            self.target, self.start, self.delete, stylesheets=[BAR_CSS], sizing_mode="stretch_width"
        )
        self.root = Column(
            children=[heading("Savepoints"), self.none, scrolling(self.table), self.bar],
            stylesheets=[CARD_CSS],
            sizing_mode="stretch_width",
        )

    def show(self, savepoints: Sequence[Mapping[str, Any]]) -> None:
        """Show savepoints, the newest first."""
        found = sorted(savepoints, key=lambda each: -(each["created_at"] or 0))[:MOST]
        rows = {
            "name": [each["name"] for each in found],
            "job": [each["job"] for each in found],
            "taken": [
                words.clock(each["created_at"]).removesuffix(" UTC") if each["created_at"] else ""
                for each in found
            ],
            "schema": [each.get("schema", "") for each in found],
            "bytes": [cards.size(each["bytes"]) for each in found],
            "problem": [each["problem"] for each in found],
        }
        if self._chosen not in rows["name"]:
            self._chosen = ""
        fill(self.source, self.table, rows, self._chosen, "name")
        self.none.visible = not found
        self.table.visible = bool(found)
        self.bar.visible = bool(found) and not self._context.settings.read_only

    def enable(self, off: bool) -> None:
        """Let the buttons be pressed when a savepoint is selected, unless all is off."""
        self._off = off
        for button in (self.start, self.delete):
            switch(button, off=off or not self._chosen)

    def _on_pick(self, name: str) -> None:
        self._chosen = name
        names = list(self.source.data["name"])
        if name in names:
            self.target.value = str(self.source.data["job"][names.index(name)])
        self._question.close()
        self.enable(self._off)

    def _on_start(self) -> None:
        job, name = str(self.target.value).strip(), self._chosen
        places = commands.places_of(self._context)
        self._begin(
            f"Start {job} from {name}", partial(commands.start_from, self._context, places, name, job)
        )

    def _on_delete(self) -> None:
        name = self._chosen
        work = partial(commands.delete_savepoint, commands.places_of(self._context), name)
        self._question.ask(
            f"Delete the savepoint {name}? Nothing can be started from it any more.",
            "Yes, delete it",
            partial(self._begin, f"Delete {name}", work),
        )
