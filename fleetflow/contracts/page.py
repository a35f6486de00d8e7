"""Adding a page to the dashboard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the dashboard, at `/<url>`, with `title` in the navigation.

    `build(document, context)` fills a Bokeh document for one session; `context` is the dashboard's shared
    state (snapshot of the vehicles, configuration). `order` sorts the navigation, small numbers first.
    """

    url: str
    title: str
    build: Callable[[Any, Any], None]
    order: int = 100
