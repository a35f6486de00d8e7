"""The outcome as tables: for the terminal, and as Markdown for the docs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.contestants import REFERENCE
from benchmarks.results import Aim, Outcome
from benchmarks.trials import Trial

TRIAL_COLUMNS = (
    "contestant",
    "keeps across a crash",
    "M pings/s",
    "time (s): least, median, most",
    "times as long as fleetflow: least, median, most",
    "CPU (s)",
    "peak (MiB)",
    "runs",
)
MARKS = {True: "met", False: "not met", None: "not judged"}


def table_of(outcome: Outcome) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Return the columns and rows of an outcome."""
    if not outcome.trials:
        return outcome.columns, list(outcome.rows)
    reference = next((trial for trial in outcome.trials if trial.name == REFERENCE), outcome.trials[0])
    return TRIAL_COLUMNS, [_row(trial, reference) for trial in outcome.trials]


def _row(trial: Trial, reference: Trial) -> Sequence[str]:
    version = ", ".join(trial.versions.values()) if len(trial.versions) == 1 else ""
    name = f"{trial.name} {version}".strip()
    if not trial.runs:
        return (name, trial.promise, trial.problem, "", "", "", "", "0")
    return (
        name,
        trial.promise,
        f"{trial.rate / 1e6:.2f}" if trial.rate >= 1e5 else f"{trial.rate / 1e6:.3f}",
        _spread(trial.times),
        _spread(trial.ratios(reference)),
        f"{trial.cpu_s:.1f}",
        f"{trial.peak_bytes / 2**20:.0f}",
        str(len(trial.runs)),
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{min(values):.2f}, {statistics.median(values):.2f}, {max(values):.2f}"


def show(outcome: Outcome, console: Console) -> None:
    """Print one outcome."""
    columns, rows = table_of(outcome)
    table = Table(*columns, title=escape(f"{outcome.key}. {outcome.title}: {outcome.description}"))
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    for aim in outcome.aims:
        console.print(escape(f"  {MARKS[aim.met]}: {aim.text}: {aim.found}"))


def markdown(outcomes: Sequence[Outcome], machine: Mapping[str, str], form: str) -> str:
    """Return the whole report as Markdown."""
    lines = [f"Measured on: {'; '.join(f'{name} {value}' for name, value in machine.items())}. {form}", ""]
    aims: list[tuple[str, Aim]] = []
    for outcome in outcomes:
        columns, rows = table_of(outcome)
        lines += [
            f"### {outcome.key}. {outcome.title}",
            "",
            f"{outcome.description[0].upper()}{outcome.description[1:]}.",
            "",
        ]
        lines += _markdown_table(columns, rows)
        lines.append("")
        aims += [(outcome.key, aim) for aim in outcome.aims]
    if aims:
        lines += ["### Aims", ""]
        lines += _markdown_table(
            ("work", "aim", "found", ""), [(key, aim.text, aim.found, MARKS[aim.met]) for key, aim in aims]
        )
        lines.append("")
    return "\n".join(lines)


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    full = [[*row, *[""] * (len(columns) - len(row))] for row in rows]
    return [line(columns), line(["---"] * len(columns)), *map(line, full)]


def write(
    folder: Path, name: str, outcomes: Sequence[Outcome], machine: Mapping[str, str], form: str
) -> list[Path]:
    """Write the report as Markdown and as JSON; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = folder / f"{name}.md", folder / f"{name}.json"
    text.write_text(markdown(outcomes, machine, form), "utf-8")
    content = {"machine": dict(machine), "form": form, "works": [outcome.as_dict() for outcome in outcomes]}
    data.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return [text, data]
