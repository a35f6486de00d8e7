"""The page /quality, added by a plugin of its own: nothing here that another distribution could not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleetflow.contracts.page import Page
from fleetflow.plugins import hookimpl


def _build(document: Any, context: Any) -> None:
    from fleetflow_ui.quality_page import build  # noqa: PLC0415 - Bokeh is slow to import

    build(document, context)


@hookimpl
def fleetflow_pages() -> Sequence[Page]:
    """Return the page of the rejects."""
    return [Page("quality", "Quality", _build, order=40)]
