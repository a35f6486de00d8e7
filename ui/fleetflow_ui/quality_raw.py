"""One reject as it came: its bytes, and what is known of them."""

from __future__ import annotations

from html import escape

from bokeh.models.widgets import Div

from fleetflow.quarantine.store import Quarantined
from fleetflow_ui import words
from fleetflow_ui.parts import HTML_CSS, card

SHOWN_BYTES = 400
RAW_CSS = """
pre {
  max-height: 340px; overflow: auto; padding: 10px 12px; background: var(--sunken); border-radius: 8px;
  font-size: 12.5px;
}
"""


def side_card(name: str) -> Div:
    """Return the place of a card beside a chart or list; its text is the card."""
    return Div(
        name=name,
        css_classes=["two"],
        stylesheets=[HTML_CSS, RAW_CSS],
        sizing_mode="stretch_width",
        margin=0,
    )


def raw_card(reject: Quarantined | None) -> str:
    """Return a reject with its raw bytes as HTML, or the words for none."""
    if reject is None:
        return card("Raw record", '<p class="ff-soft">Select a reject to see the bytes as they came.</p>')
    facts = {
        "rule": reject.rule,
        "reason": reject.reason,
        "source": reject.source,
        "where": f"{reject.resource} [{reject.start:,}, {reject.end:,})",
        "received": words.clock(reject.received_at),
        "type": reject.media_type,
        "bytes": f"{len(reject.raw):,}",
    }
    raw = escape(shown_bytes(reject.raw))
    return card(
        f"Reject {reject.id}",
        f'{words.facts(facts)}<p class="ff-soft">As it came:</p>'
        f'<pre tabindex="0" aria-label="Raw bytes" class="raw">{raw or "(nothing)"}</pre>',
    )


def shown_bytes(raw: bytes, most: int = SHOWN_BYTES) -> str:
    """Return raw bytes as text where they are text, otherwise as hexadecimal beside letters, like xxd(1)."""
    try:
        text = raw[:most].decode("utf-8")
    except UnicodeDecodeError as error:
        # a character that was cut at the end is no reason
        if error.start < most - 4 or len(raw) <= most:
            return _hexadecimal(raw[:most]) + _more(raw, most)
        text = raw[: error.start].decode("utf-8")
    if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in text):
        return _hexadecimal(raw[:most]) + _more(raw, most)
    return text + _more(raw, most)


def _more(raw: bytes, most: int) -> str:
    return f" … {len(raw) - most:,} bytes more" if len(raw) > most else ""


def _hexadecimal(raw: bytes) -> str:
    lines = []
    for start in range(0, len(raw), 16):
        piece = raw[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{start:06x}  {piece.hex(' '):<47}  {letters}")
    return "\n".join(lines)
