"""All that is known of one vehicle, as it is stored."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import quote

from fleetflow.contracts.vehicles import Record
from fleetflow_ui import words
from fleetflow_ui.status import badges

RECORD_CSS = """
:host { overflow: auto; }
.bk-clearfix { width: 100%; }
pre { margin-top: 10px; font-size: 12.5px; }
"""


def card(record: Record | None, now: float) -> str:
    """Return a vehicle's whole record as HTML, or the words for none."""
    if record is None:
        return (
            '<div class="ff-card"><h3>Record</h3><p class="ff-soft">Select a row to see everything that is'
            " known of a vehicle.</p></div>"
        )
    heard = record.get("time")
    age = f"last ping {words.ago(now - heard)}" if isinstance(heard, int | float) else ""
    vin = str(record["vin"])
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return (
        f'<div class="ff-card"><h3 class="ff-mono">{words.text(vin)}</h3>'
        f"<p>{badges(record)}"
        f' <span class="ff-soft">{words.text(age)}</span></p>'
        f'<p><a href="dashboard?vin={escape(quote(vin, safe=""))}">Show on the map</a></p>'
        f'<pre tabindex="0" aria-label="Record as JSON">{escape(text)}</pre></div>'
    )
