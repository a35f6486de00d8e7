"""Words and small pieces of HTML that all pages use. Everything that comes from outside is escaped here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Literal

Tone = Literal["", "good", "warn", "bad"]
"""What a badge or note says by its colour; its words say the same."""


def text(value: Any) -> str:
    """Return any value as HTML that shows exactly its text, control characters as spaces."""
    shown = "".join(" " if ord(letter) < 32 or ord(letter) == 127 else letter for letter in str(value))
    return escape(shown)


def count(number: int, noun: str, nouns: str = "") -> str:
    """Return `1 vehicle`, `1,204 vehicles`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def duration(seconds: float) -> str:
    """Return a length of time in its largest two units: `8 s`, `3 min`, `2 h 5 min`, `4 d 3 h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        rest = minutes % 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    rest = hours % 24
    return f"{days} d {rest} h" if rest and days < 10 else f"{days} d"


def ago(seconds: float) -> str:
    """Return `just now`, `12 s ago`, `in the future` for what a vendor's clock has ahead of ours."""
    if seconds < -5:
        return f"{duration(-seconds)} in the future"
    return "just now" if seconds < 2 else f"{duration(seconds)} ago"


def clock(moment: float) -> str:
    """Return seconds since 1970 as `2026-11-24 13:37:38 UTC`; what is no date stays a number."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
    except (OverflowError, OSError, ValueError, TypeError):
        return str(moment)


def badge(words: str, tone: Tone = "") -> str:
    """Return a small label; `words` is plain text."""
    return f'<span class="ff-badge{f" ff-{tone}" if tone else ""}">{text(words)}</span>'


def note(words: str, tone: Tone = "", hint: str = "") -> str:
    """Return a sentence set apart, with a hint below; both are plain text."""
    more = f"<br>{text(hint)}" if hint else ""
    return f'<div class="ff-note{f" ff-{tone}" if tone else ""}">{text(words)}{more}</div>'


def empty(title: str, what_to_do: str, command: str = "") -> str:
    """Return the words that stand where nothing is to be seen yet: why, and what to do; plain text."""
    code = f"<p><code>{text(command)}</code></p>" if command else ""
    return f'<div class="ff-empty"><h2>{text(title)}</h2><p>{text(what_to_do)}</p>{code}</div>'


def facts(values: Mapping[str, Any]) -> str:
    """Return names and values as a list in two columns; both are plain text."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in values.items())
    return f'<dl class="ff-facts">{rows}</dl>'


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[int] = ()) -> str:
    """Return a table of plain text; the columns with an index in `numbers` are set to the right."""
    right = set(numbers)
    css = [' class="ff-number"' if index in right else "" for index in range(len(titles))]
    head = "".join(f'<th scope="col"{css[i]}>{text(title)}</th>' for i, title in enumerate(titles))
    body = "".join(
        "<tr>" + "".join(f"<td{css[i]}>{text(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<table class="ff-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
