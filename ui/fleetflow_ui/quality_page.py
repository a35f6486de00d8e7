"""The page /quality: which records are no valid pings, since when, why, and back through after a fix."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Column
from bokeh.models.widgets import Button, Div, RadioButtonGroup, Select

from fleetflow.quarantine.store import Selection
from fleetflow_ui import words
from fleetflow_ui.actions import Outcome
from fleetflow_ui.actions import act as act_in_thread
from fleetflow_ui.background import Ask, asker, in_words
from fleetflow_ui.context import Context
from fleetflow_ui.parts import (
    BAR_CSS,
    CARD_CSS,
    PAGE_CSS,
    Act,
    Question,
    card,
    grid,
    offer,
    put,
    scrolling,
    select,
    switch,
)
from fleetflow_ui.quality import QUARANTINED, REQUEUED, SPANS, Quality, Wish, look, waiting
from fleetflow_ui.quality_chart import RejectsChart
from fleetflow_ui.quality_raw import side_card
from fleetflow_ui.quality_requeue import folders_of, requeue
from fleetflow_ui.quality_samples import Samples
from fleetflow_ui.shell import Frame, dress

ANY = "any"
CHART_CSS = ":host { align-self: stretch !important; height: auto !important; }"
"""As high as the card beside it."""
LOOK_S = 2.0
"""Seconds between two looks whether something has changed."""
TURN_S = 60.0
"""Seconds until all is counted anew though nothing has changed: bars move with time."""


class QualityPage:
    """One session's view of the quarantine: built once, `update` changes columns and words."""

    def __init__(
        self, context: Context, frame: Frame, ask: Ask, act: Act, folders: Mapping[str, Path]
    ) -> None:
        self._context, self._frame, self._ask, self._act = context, frame, ask, act
        self._folders = dict(folders)
        asked = frame.query
        self.wish = Wish(
            asked["span"] if asked.get("span") in SPANS else "last day",
            "source" if asked.get("by") == "source" else "rule",
            Selection(source=asked.get("source"), rule=asked.get("rule"), state=asked.get("state")),
        )
        self._of = asked["of"] if asked.get("of") in self._folders else next(iter(self._folders))
        self.quality = Quality()
        self._looked_at = float("-inf")
        self._busy = self._again = False
        self._acting = False
        self._problem = ""
        self._seen: tuple[Any, float] = (None, 0.0)
        self._build()

    def _build(self) -> None:
        self.notice = Div(name="notice", visible=False, sizing_mode="stretch_width")
        self.empty = Div(name="empty", visible=False, sizing_mode="stretch_width")
        selection = self.wish.selection
        self.of = select("Quarantine of", self._of, self._folders, 170)
        self.of.visible = len(self._folders) > 1
        self.span = select("Chart over", self.wish.span, SPANS, 120, "span")
        self.source = select("Source", selection.source or ANY, [ANY], 130, "source")
        self.rule = select("Rule", selection.rule or ANY, [ANY], 150, "rule")
        self.state = select("State", selection.state or ANY, [ANY, QUARANTINED, REQUEUED], 130, "state")
        self.by = RadioButtonGroup(
            labels=["By rule", "By source"], active=0 if self.wish.by == "rule" else 1, name="by"
        )
        self.bar = row(
            self.of, self.span, self.source, self.rule, self.state, self.by,
            stylesheets=[BAR_CSS], sizing_mode="stretch_width",
        )  # fmt: skip
        self.chart = RejectsChart()
        chart = Column(
            children=[self.chart.plot],
            stylesheets=[CARD_CSS, CHART_CSS],
            css_classes=["four"],
            sizing_mode="stretch_width",
        )
        self.counts = side_card("counts")
        self.samples = Samples(self._enable)
        self.requeue = Button(label="Requeue selected", name="requeue", width=180, disabled=True)
        self.requeue_all = Button(label="Requeue all that match", name="requeue-all", width=230)
        self.requeue.on_click(self._on_requeue)
        self.requeue_all.on_click(self._on_requeue_all)
        self.question = Question()
        listed = Column(
            children=[
                self.samples.caption,
                scrolling(self.samples.table),
                row(self.requeue, self.requeue_all, stylesheets=[BAR_CSS], sizing_mode="stretch_width"),
            ],
            stylesheets=[CARD_CSS],
            css_classes=["four"],
            sizing_mode="stretch_width",
        )
        self.panel = grid(chart, self.counts, listed, self.samples.raw)
        self.root = column(
            self.bar, self.notice, self.question.root, self.empty, self.panel,
            stylesheets=[PAGE_CSS], sizing_mode="stretch_width",
        )  # fmt: skip
        for widget in (self.of, self.span, self.source, self.rule, self.state):
            widget.on_change("value", lambda attr, old, new: self._choose())
        self.by.on_change("active", lambda attr, old, new: self._choose())

    def _choose(self) -> None:
        def chosen(choice: Select) -> str | None:
            return None if choice.value == ANY else str(choice.value)

        self._of = str(self.of.value)
        self.wish = Wish(
            str(self.span.value),
            "source" if self.by.active == 1 else "rule",
            Selection(source=chosen(self.source), rule=chosen(self.rule), state=chosen(self.state)),
        )
        selection = self.wish.selection
        self._frame.remember(
            of="" if self._of == next(iter(self._folders)) else self._of,
            span="" if self.wish.span == "last day" else self.wish.span,
            by="" if self.wish.by == "rule" else self.wish.by,
            source=selection.source or "",
            rule=selection.rule or "",
            state=selection.state or "",
        )
        self.samples.clear()
        self.question.close()
        self._look()

    def update(self) -> None:
        """Look again when something has changed, and every few seconds because time passes."""
        if time.monotonic() - self._looked_at > LOOK_S:
            self._look()
        self._enable()

    def _look(self) -> None:
        if self._busy:
            self._again = True
            return
        self._busy, self._looked_at = True, time.monotonic()
        folder, wish = self._folders[self._of], self.wish
        known = (
            None
            if (folder, wish) != self._seen[0] or self._looked_at - self._seen[1] > TURN_S
            else self.quality
        )
        if known is None:
            self._seen = ((folder, wish), self._looked_at)

        def work() -> Quality:
            try:
                return look(folder, wish, time.time(), known)
            except Exception as error:
                message, hint = in_words(error)
                return Quality(problem=message, hint=hint)

        self._ask(work, self._arrived)

    def _arrived(self, quality: Quality) -> None:
        self._busy = False
        if self._again:
            self._again = False
            self._look()
            return
        self.quality = quality
        self._show()

    def _show(self) -> None:
        quality = self.quality
        if quality.problem:
            put(self.notice, words.note(quality.problem, "bad", quality.hint))
        elif self._problem:
            put(self.notice, "")
        self._problem = quality.problem
        nothing = not quality.by_rule and not quality.problem
        put(
            self.empty,
            words.empty(
                "No rejects",
                "Records that are no valid pings come here, with the reason. So far there was none.",
            )
            if nothing
            else "",
        )
        self.panel.visible = not nothing
        self.bar.visible = not nothing or self.of.visible
        offer(self.source, [ANY, *quality.by_source])
        offer(self.rule, [ANY, *quality.by_rule])
        self.chart.show(quality)
        put(self.counts, _counts(quality))
        self.samples.show(quality)

    def _enable(self) -> None:
        off = self._context.settings.read_only or self._acting
        ids, many = len(self.samples.waiting_ids()), self.quality.waiting
        for button, label, disabled in (
            (self.requeue, f"Requeue selected ({ids})", off or not ids),
            (self.requeue_all, f"Requeue all that match ({many:,})", off or not many),
        ):
            if button.label != label:
                button.label = label
            switch(button, off=disabled)
            if button.visible == self._context.settings.read_only:
                button.visible = not self._context.settings.read_only

    def _on_requeue(self) -> None:
        ids = tuple(self.samples.waiting_ids())
        self._confirm(Selection(ids=ids), words.count(len(ids), "selected reject"), len(ids))

    def _on_requeue_all(self) -> None:
        selection, many = self.wish.selection, self.quality.waiting
        said = ", ".join(
            f"{name} {value}" for name in ("source", "rule") if (value := getattr(selection, name))
        )
        what = f"{'all ' if many > 1 else ''}{words.count(many, 'reject')}{' of ' if said else ''}{said}"
        self._confirm(waiting(selection), what, many)

    def _confirm(self, selection: Selection, what: str, many: int) -> None:
        folder = self._folders[self._of]
        self.question.ask(
            f"Put {what} back through? Those that are still no valid pings are quarantined again.",
            f"Yes, requeue {many:,}",
            partial(self._begin, f"Requeue {what}", partial(requeue, folder, selection)),
        )

    def _begin(self, what: str, work: Callable[[], str]) -> None:
        self._acting = True
        put(self.notice, words.note(f"{what} …"))
        self._enable()
        self._act(what, work, self._ended)

    def _ended(self, outcome: Outcome) -> None:
        self._acting = False
        put(self.notice, words.note(outcome.message, "good" if outcome.good else "bad", outcome.hint))
        self.samples.clear()
        self._look()


def _counts(quality: Quality) -> str:
    groups = {"rule": quality.by_rule, "source": quality.by_source, "state": quality.by_state}
    tables = ""
    for title, counts in groups.items():
        rows = [(name, f"{count:,}") for name, count in [*counts.items()][:8]]
        tables += f"<p>{words.table([title, 'rejects'], rows, [1])}</p>"
    return card("In all", tables)


def build(document: Document, context: Context) -> None:
    """Fill a document for one session."""
    frame = dress(document, context, "quality", "Quality")

    def act(what: str, work: Callable[[], str], done: Callable[[Outcome], None]) -> None:
        act_in_thread(context, document, what, work, done)

    page = QualityPage(context, frame, asker(document), act, folders_of(context))
    document.add_root(page.root)
    frame.every(context.settings.refresh_s, page.update)
